-- SPDX-License-Identifier: MIT
-- The version of the library: futures._VERSION, and what fetch says to servers.

return "0.1.0"
