#!/bin/sh
# Looks at pages in Debian's chromium, driven by Playwright and judged by axe-core: run.sh FOLDER URL...
#
# Both are npm packages and go into a cache folder on first use (STOPMARK_BROWSER_CACHE, default
# ~/.cache/stopmark-browser); no browser is downloaded. Pictures are left in FOLDER.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
cache=${STOPMARK_BROWSER_CACHE:-${HOME:?}/.cache/stopmark-browser}
playwright=1.65.1
axe=4.14.1

mkdir -p "$cache"
# Tests run side by side: one installs, the others wait. The lock ends with this process's descriptor.
exec 9>"$cache/lock"
flock 9
if [ ! -e "$cache/ready-$playwright-$axe" ]; then
    npm install --prefix "$cache" --silent --no-audit --no-fund "playwright-core@$playwright" "axe-core@$axe"
    touch "$cache/ready-$playwright-$axe"
fi
exec 9>&-

NODE_PATH=$cache/node_modules exec node "$here/look.js" "$(command -v chromium)" "$@"
