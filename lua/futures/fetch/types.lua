-- SPDX-License-Identifier: MIT
---@meta futures.fetch

-- Types that have no code of their own.

---@class futures.FetchOptions
---@field method? string default: GET, or POST where there is a body
---@field headers? futures.FetchFields no line breaks in them
---@field query? futures.FetchFields added to the URL
---@field body? string bytes as they are
---@field json? any a value for lua-cjson
---@field form? futures.FetchFields sent as a form
---@field multipart? table<string, string|futures.FetchPart> sent as a form with files
---@field timeout? number|false|futures.FetchTimeout seconds; default: 60
---@field max_redirects? integer default: 10; 0 gives the redirect itself
---@field max_body? integer|false decompressed bytes; default: 64 MiB; false only with `output`
---@field output? string path: a successful body goes there, when it is complete
---@field http_version? "1.1"|"2" default: what both sides can do
---@field compression? boolean default: true
---@field verify? boolean the server's certificate; default: true
---@field ca_file? string certificates to trust instead of the system's
---@field cert? string certificate of ours, PEM
---@field key? string its key, PEM
---@field auth? futures.FetchAuth
---@field raise_for_status? boolean a FetchError for 4xx and 5xx; default: false
---@field proxy? string|false default: as the environment says; false: none
---@field deny_private? boolean refuse private addresses; no proxy then; default: false
---@field base_url? string what the URL is relative to
---@field user_agent? string default: lua-futures/VERSION

--- Names and values: a map, where an array repeats its name, or a list of {name, value}.
---@alias futures.FetchFields table<string, string|number|string[]>|string[][]

--- Seconds, or false for none. A limit that has passed is a FetchError of kind `timeout`.
---@class futures.FetchTimeout
---@field total? number|false for all, redirects included; default: 60
---@field connect? number|false until a connection stands; default: none
---@field idle? number|false without a byte, either way, once it stands; default: none

--- A user, or a token.
---@class futures.FetchAuth
---@field user? string
---@field password? string
---@field scheme? "basic"|"digest" default: basic
---@field token? string sent as a bearer

---@class futures.FetchPart
---@field path? string a file
---@field body? string or bytes
---@field filename? string default: that of the path
---@field type? string a media type
