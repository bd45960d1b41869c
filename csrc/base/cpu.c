/* SPDX-License-Identifier: MIT */
#include "base/cpu.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#ifdef __linux__

#include <sched.h>

static int affinity_count(void) {
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0) return CPU_COUNT(&set);
    return (int)sysconf(_SC_NPROCESSORS_ONLN); /* more processors than the set can hold */
}

/* Reads up to two numbers from a file; "max" counts as -1. Returns how many it found. */
static int read_numbers(const char *path, long long out[2]) {
    FILE *file = fopen(path, "re");
    if (!file) return 0;
    char word[2][32];
    int n = fscanf(file, "%31s %31s", word[0], word[1]);
    fclose(file);
    for (int i = 0; i < n; i++)
        if (sscanf(word[i], "%lld", &out[i]) != 1) out[i] = -1;
    return n < 0 ? 0 : n;
}

/* The quota of one cgroup folder in processors, or 0 for none. */
static double folder_quota(const char *mount, const char *group) {
    char path[768];
    long long v[2] = {0};
    snprintf(path, sizeof path, "%s%s/cpu.max", mount, group);
    if (read_numbers(path, v) == 2)
        return v[0] > 0 && v[1] > 0 ? (double)v[0] / (double)v[1] : 0;
    snprintf(path, sizeof path, "%s%s/cpu.cfs_quota_us", mount, group);
    if (read_numbers(path, v) != 1 || v[0] <= 0) return 0;
    long long quota = v[0];
    snprintf(path, sizeof path, "%s%s/cpu.cfs_period_us", mount, group);
    return read_numbers(path, v) == 1 && v[0] > 0 ? (double)quota / (double)v[0] : 0;
}

/* The smallest quota from the process's own group up to the root: each of them binds. */
static double group_quota(const char *mount, char *group) {
    double least = 0;
    for (;;) {
        double quota = folder_quota(mount, group);
        if (quota > 0 && (least == 0 || quota < least)) least = quota;
        char *slash = strrchr(group, '/');
        if (!slash) return least;
        *slash = '\0';
    }
}

/* Is "cpu" in a list like "cpu,cpuacct"? "cpuset" is another controller, with other paths. */
static bool names_cpu(const char *controllers) {
    for (const char *at = controllers; (at = strstr(at, "cpu")); at++)
        if ((at == controllers || at[-1] == ',') && (at[3] == '\0' || at[3] == ','))
            return true;
    return false;
}

static double cgroup_quota(void) {
    FILE *file = fopen("/proc/self/cgroup", "re");
    if (!file) return 0;
    char line[512];
    double least = 0;
    while (fgets(line, sizeof line, file)) { /* "ID:controllers:/path" */
        line[strcspn(line, "\n")] = '\0';
        char *controllers = strchr(line, ':');
        char *group = controllers ? strchr(controllers + 1, ':') : NULL;
        if (!group) continue;
        *controllers++ = '\0';
        *group++ = '\0';
        const char *mount = *controllers == '\0' ? "/sys/fs/cgroup" : "/sys/fs/cgroup/cpu";
        if (*controllers != '\0' && !names_cpu(controllers)) continue;
        double quota = group_quota(mount, group);
        if (quota > 0 && (least == 0 || quota < least)) least = quota;
    }
    fclose(file);
    return least;
}

#else

static int affinity_count(void) {
    return (int)sysconf(_SC_NPROCESSORS_ONLN);
}
static double cgroup_quota(void) {
    return 0;
}

#endif

int fut_cpu_count(void) {
    int count = affinity_count();
    double quota = cgroup_quota();
    if (quota > 0 && quota < count) count = (int)quota + (quota > (int)quota);
    return count > 0 ? count : 1;
}

int fut_cpu_count_cached(void) {
    static atomic_int cached; /* racing first callers compute the same number */
    int count = atomic_load_explicit(&cached, memory_order_relaxed);
    if (count == 0) {
        count = fut_cpu_count();
        atomic_store_explicit(&cached, count, memory_order_relaxed);
    }
    return count;
}

int fut_cpu_current(void) {
#ifdef __linux__
    return sched_getcpu();
#else
    static _Thread_local char here; /* its address is another one in each thread */
    return -1 - (int)((uintptr_t)&here & 0x3fffffff);
#endif
}
