#!/usr/bin/env bash
# A package for Debian and its kin of the command as it is built: the command, its pages of the manual, completions, the guide.
#
#     cargo build --release && ci/deb.sh [FOLDER]
#
# FOLDER is where it is written, else the working folder. SIGRACE names the command that is packed. Needs dpkg-deb, gzip and binutils.
set -euo pipefail

results=$(realpath "${1:-.}")
cd "$(dirname "${BASH_SOURCE[0]}")/.."
sigrace=$(realpath "${SIGRACE:-target/release/sigrace}")
version=$("$sigrace" --version | cut -d ' ' -f 2)
machine=$(dpkg --print-architecture)

tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
chmod 755 "$tree"
share=$tree/usr/share

install -D --mode 755 "$sigrace" "$tree/usr/bin/sigrace"
strip --strip-unneeded "$tree/usr/bin/sigrace"
glibc=$(objdump -T "$sigrace" | grep -o 'GLIBC_2\.[0-9]*' | cut -d _ -f 2 | sort -Vu | tail -n 1)
install -d "$share/man/man1" "$share/bash-completion/completions" "$share/zsh/vendor-completions" "$share/fish/vendor_completions.d"
"$sigrace" man --dir "$share/man/man1"
gzip --best --no-name "$share"/man/man1/*
"$sigrace" completions bash >"$share/bash-completion/completions/sigrace"
"$sigrace" completions zsh >"$share/zsh/vendor-completions/_sigrace"
"$sigrace" completions fish >"$share/fish/vendor_completions.d/sigrace.fish"
install -D --mode 644 --target-directory "$share/doc/sigrace/docs" docs/*.md
install -D --mode 644 --target-directory "$share/doc/sigrace" README.md
install -D --mode 644 --target-directory "$share/sigrace" harness/report.schema.json harness/include/sigrace.h

mkdir "$tree/DEBIAN"
cat >"$tree/DEBIAN/control" <<CONTROL
Package: sigrace
Version: $version
Architecture: $machine
Maintainer: the sigrace maintainers
Section: devel
Priority: optional
Depends: libc6 (>= $glibc), libgcc-s1
Recommends: gcc, libc6-dev
Installed-Size: $(du --summarize --block-size=1024 "$tree/usr" | cut -f 1)
Description: finds signal races in programs that nobody prepared for it
 It runs a program under control, places signals and process switches at exact
 points, records outcomes, shrinks failing schedules and replays them exactly.
CONTROL
dpkg-deb --root-owner-group --build "$tree" "$results/sigrace_${version}_$machine.deb"
