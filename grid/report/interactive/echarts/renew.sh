#!/bin/sh
# Renews the vendored Apache ECharts: `make echarts` or `make echarts ECHARTS=6.1.0`. Needs npm and a network; nothing else here does.
# Only the parts named in bundle.js are kept, which makes every report half a megabyte smaller.
set -eu
version=$1
esbuild=0.28.2
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp "$here/bundle.js" "$work"
cd "$work"
npm install --silent --no-save "echarts@$version" "esbuild@$esbuild" > /dev/null
npx esbuild bundle.js --bundle --minify --target=es2020 --format=iife --global-name=echarts --legal-comments=none \
  --define:process.env.NODE_ENV='"production"' --log-level=error --outfile="$here/echarts.js"
for part in echarts zrender tslib; do
  printf '%s\n\n' "== $part"
  for file in LICENSE LICENSE.txt NOTICE; do
    if [ -f "node_modules/$part/$file" ]; then cat "node_modules/$part/$file"; fi
  done
done > "$here/LICENSE.txt"
node -p '["echarts", "zrender", "tslib"].map((name) => {
  const p = require(`./node_modules/${name}/package.json`);
  return `${p.name} ${p.version}, license ${p.license}`;
}).join("\n")' > "$here/VERSION"
cat "$here/VERSION"
