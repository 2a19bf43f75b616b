#!/bin/sh
# Renews the vendored jsPsych: `make jspsych` or `make jspsych JSPSYCH=8.3.0`. Needs npm and a network; nothing else here does.
# The line that points browsers to a source map on another host is removed, so that the page makes no external request.
set -eu
version=$1
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm pack --silent "jspsych@$version" > /dev/null
tar xzf jspsych-*.tgz
grep -v '^//# sourceMappingURL=' package/dist/index.browser.min.js > "$here/jspsych.js"
node -p 'const p = require("./package/package.json"); `${p.name} ${p.version}, license ${p.license}`' > "$here/VERSION"
cat "$here/VERSION"
