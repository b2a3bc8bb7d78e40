#!/bin/sh
# Installs rtp-cluster as a systemd service on this host. Run it again to update the binary.
# Usage: ./install.sh            as root; wants dist/rtp-cluster (npm run build) or rtp-cluster beside this file
#        PREFIX=/opt ./install.sh   the binary goes to /opt/bin (default /usr/local)
set -eu

here=$(cd "$(dirname "$0")" && pwd)
prefix=${PREFIX:-/usr/local}
unit=/etc/systemd/system/rtp-cluster.service

fail() {
	echo "install.sh: $1" >&2
	exit 1
}

[ "$(id -u)" = 0 ] || fail "must run as root"
binary=$here/rtp-cluster
[ -x "$binary" ] || binary=$here/dist/rtp-cluster
[ -x "$binary" ] || fail "there is no binary; run \"npm run build\" first"
"$binary" check >/dev/null || fail "the settings are not valid; \"$binary check\" says why"

mkdir -p "$prefix/bin" "$(dirname "$unit")"
# Beside the old one, then in its place: a running program keeps its file.
cp "$binary" "$prefix/bin/.rtp-cluster.new"
chmod 755 "$prefix/bin/.rtp-cluster.new"
mv "$prefix/bin/.rtp-cluster.new" "$prefix/bin/rtp-cluster"
sed "s|/usr/local/bin|$prefix/bin|" "$here/systemd/rtp-cluster.service" >"$unit"
echo "installed $("$prefix/bin/rtp-cluster" --version) in $prefix/bin, and $unit"

if [ -d /run/systemd/system ]; then
	systemctl daemon-reload
	systemctl enable rtp-cluster.service
	systemctl restart rtp-cluster.service
	echo "running; \"rtp-cluster node add\" adds relays, \"journalctl -u rtp-cluster\" shows the log"
else
	echo "systemd does not run here, so the service was not started"
fi
