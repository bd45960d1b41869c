-- SPDX-License-Identifier: MIT
-- The links of a page, as addresses.

local links = {}

--- Where `href` leads from `base`: an address without a fragment, or nil when it is no address
--- of a page.
function links.resolve(base, href)
    href = href:gsub("#.*$", ""):gsub("&amp;", "&"):gsub("[%s%c\\]", function(c)
        return ("%%%02X"):format(c:byte())
    end)
    local server, path = base:match("^(%a+://[^/?]+)([^?]*)")
    if href:find("^https?://") then return href end
    if href == "" or href:find("^%a[%w+.-]*:") then return nil end
    if href:find("^//") then return server:match("^%a+:") .. href end
    if not href:find("^/") then href = path:gsub("[^/]*$", "") .. href end
    local words = {}
    for word in href:gmatch("[^/]+") do
        if word == ".." then
            table.remove(words)
        elseif word ~= "." then
            words[#words + 1] = word
        end
    end
    if href:find("/$") and #words > 0 then words[#words + 1] = "" end
    return server .. "/" .. table.concat(words, "/")
end

--- All addresses in the `href`s of a response, each once.
function links.of(response)
    local list, seen = {}, {}
    for href in response.body:gmatch("[hH][rR][eE][fF]%s*=%s*[\"']([^\"']*)") do
        local url = links.resolve(response.url, href)
        if url and not seen[url] then
            seen[url] = true
            list[#list + 1] = url
        end
    end
    return list
end

return links
