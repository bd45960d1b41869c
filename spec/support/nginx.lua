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
worker_rlimit_nofile 4096;
$USER
events { worker_connections 2048; }
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
    server {
        listen 127.0.0.1:$PORT backlog=2048;
        listen 127.0.0.1:$TLSPORT ssl http2;
        listen 127.0.0.2:$TLSPORT ssl http2;
        ssl_certificate $TLS/cert.pem;
        ssl_certificate_key $TLS/key.pem;
        ssl_client_certificate $TLS/cert.pem;
        ssl_verify_client optional;
        root $DIR/www;
        location = /connection { return 200 "$connection $connection_requests"; }
        location = /protocol { return 200 "$server_protocol"; }
        location = /client { return 200 "$ssl_client_verify"; }
        location = /accepts { return 200 "$http_accept_encoding"; }
        location = /downgrade { return 302 http://127.0.0.1:$PORT/small.txt; }
        location = /404 { return 404 "nothing"; }
        location = /500 { return 500 "broken"; }
        location = /slow.bin { limit_rate 10k; }
        location /gzip/ { alias $DIR/www/; gzip on; gzip_min_length 1; gzip_types *; }
        location /auth/ {
            alias $DIR/www/;
            auth_basic "spec";
            auth_basic_user_file $DIR/passwords;
        }
    }
}
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

local function try_start(here)
    local dir = output_of("mktemp -d")
    local ports = bad_server.free_ports(2)
    assert(os.execute("mkdir " .. dir .. "/www"))
    files(dir)
    local root = output_of("id -u") == "0"
    local tls = here .. "/spec/support/tls"
    local values = { DIR = dir, PORT = ports[1], TLSPORT = ports[2], TLS = tls,
        USER = root and "user root;" or "" }
    write(dir .. "/nginx.conf", (CONFIG:gsub("%$(%u+)", values)))
    local script = server.quote(SCRIPT:format(dir, dir, dir))
    local started, self = pcall(server.start, "exec sh -c " .. script, 1)
    if started then
        self.dir = dir
        self.url = "http://127.0.0.1:" .. ports[1]
        self.tls = "https://127.0.0.1:" .. ports[2]
        self.other_host = "https://127.0.0.2:" .. ports[2] -- a name that the certificate lacks
        self.ca_file = tls .. "/cert.pem"
        self.key = tls .. "/key.pem"
    end
    return started and self, dir
end

--- Returns a server object with `url`, `tls`, `other_host`, `ca_file`, `key`, and `dir`.
function nginx.start()
    local here = output_of("pwd")
    for _ = 1, 5 do -- somebody else may have taken a port in the meantime
        local self = try_start(here)
        if self then
            return self
        end
    end
    error("nginx does not start", 2)
end

return nginx
