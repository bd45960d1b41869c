-- SPDX-License-Identifier: MIT
-- A real nginx with a configuration of its own in a folder of its own.

local server = require "spec.support.server"
local bad_server = require "spec.support.bad_server"

local nginx = {}

local CONFIG = [[
daemon off;
master_process off;
pid $DIR/nginx.pid;
error_log $DIR/error.log warn;
worker_rlimit_nofile $FDS;
$USER
events { worker_connections $CONNECTIONS; }
http {
    access_log off;
    client_body_temp_path $DIR/body;
    proxy_temp_path $DIR/proxy;
    fastcgi_temp_path $DIR/fastcgi;
    uwsgi_temp_path $DIR/uwsgi;
    scgi_temp_path $DIR/scgi;
    default_type text/plain;
    keepalive_requests 1000000;
    keepalive_timeout 60s;
    root $DIR/www;
    server { # a certificate of our authority, but for another name
        listen 127.0.0.1:$OTHERNAME ssl;
        ssl_certificate $DIR/other.pem;
        ssl_certificate_key $DIR/other.key;
    }
    server { # a certificate that nobody has signed
        listen 127.0.0.1:$SELFSIGNED ssl;
        ssl_certificate $DIR/self.pem;
        ssl_certificate_key $DIR/self.key;
    }
    server { # TLS without HTTP/2
        listen 127.0.0.1:$OLDTLS ssl;
        ssl_certificate $DIR/server.pem;
        ssl_certificate_key $DIR/server.key;
        location = /protocol { return 200 "$server_protocol"; }
    }
    server {
        listen 127.0.0.1:$PLAIN backlog=4096;
        listen 127.0.0.1:$TLS ssl http2;
        listen 127.0.0.2:$TLS ssl http2;
        http2_max_requests 1000000;
        ssl_certificate $DIR/server.pem;
        ssl_certificate_key $DIR/server.key;
        ssl_client_certificate $DIR/ca.pem;
        ssl_verify_client optional;
        location = /ok { return 200 "ok"; }
        location = /connection { return 200 "$connection $connection_requests"; }
        location = /protocol { return 200 "$server_protocol"; }
        location = /client { return 200 "$ssl_client_verify"; }
        location = /accepts { return 200 "$http_accept_encoding"; }
        location = /downgrade { return 302 http://127.0.0.1:$PLAIN/small.txt; }
        location = /404 { return 404 "nothing"; }
        location = /500 { return 500 "broken"; }
        location = /slow.bin { limit_rate 10k; }
        location = /bomb { add_header Content-Encoding gzip; alias $DIR/www/50m.gz; }
        location /gzip/ { alias $DIR/www/; gzip on; gzip_min_length 1; gzip_types *; }
        location /auth/ {
            alias $DIR/www/;
            auth_basic "spec";
            auth_basic_user_file $DIR/passwords;
        }
    }
}
]]

-- An authority of our own, and what it has signed or not.
local KEYS = [[
set -e; cd %s
ec="-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes"
openssl req -x509 $ec -keyout ca.key -out ca.pem -days 2 -subj "/CN=spec authority"
openssl req -x509 $ec -keyout self.key -out self.pem -days 2 -subj "/CN=nobody" \
    -addext "subjectAltName = IP:127.0.0.1"
sign() {
    echo "subjectAltName = $2" >$1.ext
    openssl req $ec -keyout $1.key -out $1.csr -subj "/CN=$1"
    openssl x509 -req -in $1.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 \
        -extfile $1.ext -out $1.pem
}
sign server IP:127.0.0.1,DNS:localhost
sign other DNS:other.example
sign client DNS:client.example
head -c 52428800 /dev/zero | gzip -9 >www/50m.gz
]]

local function write(path, text)
    local file <close> = assert(io.open(path, "wb"))
    assert(file:write(text))
end

local function output_of(command)
    local pipe <close> = assert(io.popen(command))
    return pipe:read("l")
end

-- nginx prints nothing when it is ready, but writes its pid. The shell ends it by that pid.
local SCRIPT = [[
nginx -p %s -c nginx.conf -e error.log </dev/null >/dev/null 2>&1 & pid=$!
trap '' INT
while [ ! -s %s/nginx.pid ]; do
    kill -0 $pid 2>/dev/null || exit 1
    sleep 0.01
done
echo ready; exec >/dev/null
while read -r _; do :; done
kill $pid; wait $pid; rm -r %s
]]

local function files(dir)
    write(dir .. "/www/small.txt", "small\n")
    write(dir .. "/www/100k.bin", ("0123456789"):rep(10000))
    write(dir .. "/www/slow.bin", ("0123456789"):rep(10000))
    write(dir .. "/www/list.json", '{"list":[1,2,3],"text":"' .. ("x"):rep(1000) .. '"}')
    write(dir .. "/passwords", "user:{PLAIN}secret\n")
end

local function make_keys(dir)
    local script = server.quote(KEYS:format(dir))
    local log = dir .. "/keys.log"
    if not os.execute(("sh -c %s >%s 2>&1"):format(script, log)) then
        local file <close> = assert(io.open(log))
        error("openssl makes no certificates: " .. file:read("a"))
    end
end

local PORTS = { "PLAIN", "TLS", "OTHERNAME", "SELFSIGNED", "OLDTLS" }

local function configure(dir)
    local user = output_of("id -u") == "0" and "user root;" or ""
    local fds = math.min(tonumber(output_of("ulimit -Hn")) or 65536, 65536)
    local values = { DIR = dir, USER = user, FDS = fds, CONNECTIONS = fds // 2 }
    for i, port in ipairs(bad_server.free_ports(#PORTS)) do
        values[PORTS[i]] = port
    end
    write(dir .. "/nginx.conf", (CONFIG:gsub("%$(%u+)", values)))
    return values
end

local function try_start()
    local dir = output_of("mktemp -d")
    assert(os.execute("mkdir " .. dir .. "/www"))
    files(dir)
    make_keys(dir)
    local ports = configure(dir)
    local script = server.quote(SCRIPT:format(dir, dir, dir))
    local started, self = pcall(server.start, "exec sh -c " .. script, 1)
    if started then
        local function at(host, port)
            return ("%s:%d"):format(host, ports[port])
        end
        self.dir = dir
        self.url = at("http://127.0.0.1", "PLAIN")
        self.tls = at("https://127.0.0.1", "TLS")
        self.unnamed = at("https://127.0.0.2", "TLS")
        self.other_name = at("https://127.0.0.1", "OTHERNAME")
        self.self_signed = at("https://127.0.0.1", "SELFSIGNED")
        self.old_tls = at("https://127.0.0.1", "OLDTLS")
        self.ca_file = dir .. "/ca.pem"
        self.cert, self.key = dir .. "/client.pem", dir .. "/client.key"
    end
    return started and self
end

--- Returns a server object with `dir`, `ca_file` (whom to trust), `cert` and `key` (for a
--- client) and the addresses `url` (plain), `tls` (with HTTP/2), `old_tls` (without),
--- `unnamed` and `other_name` (their certificate is another's), `self_signed`.
function nginx.start()
    for _ = 1, 5 do -- somebody else may have taken a port in the meantime
        local self = try_start()
        if self then
            return self
        end
    end
    error("nginx does not start", 2)
end

return nginx
