#!/bin/sh
# Installs rtp_cluster as a systemd service on this host, upgrades it, and takes it away again. See ./install.sh --help
# and docs/install.md. Every change is noted together with what undoes it; whatever ends this program too early, a
# failure, Ctrl-C or TERM, undoes the changes of this run, the last one first.
set -eu
umask 022
export LC_ALL=C

user=rtp-cluster
settings=/etc/rtp-cluster/config.toml
tokens=/etc/rtp-cluster/tokens
data=/var/lib/rtp-cluster
private_data=/var/lib/private/rtp-cluster
database=$data/rtp-cluster.db
backups=$data/backup
unit_dir=/etc/systemd/system
service=rtp-cluster.service
sysusers=/usr/lib/sysusers.d/rtp-cluster.conf
tmpfiles=/usr/lib/tmpfiles.d/rtp-cluster.conf
relay_settings=/etc/rtpengine/rtpengine.conf
relay_port=22222
# Seconds a new version may take to be ready.
patience=30
# Copies of the database made before an upgrade that are kept.
keep_backups=3
# SHA-256 of the unit files that earlier versions wrote, with /usr/local as prefix: not made by hand.
earlier_units='3aa3dc8c 5c18ceba'

here=$(cd "$(dirname "$0")" && pwd)
scratch=''
undo=''
step='reading the command line'
changed=no
needs_restart=no
restarted=no
dry=no
# Places the settings name other than the usual ones; whether the new version changes tables.
own_http=''
own_ng=''
migrates=no

usage() {
	cat <<EOF
Usage: ./install.sh [FLAGS]             install, upgrade or repair, as root
       ./install.sh --uninstall [--purge]
       ./install.sh --version           what is installed, and what would be

Takes the program "rtp-cluster" beside this file, or dist/rtp-cluster, or builds it (npm run build). Run it again to
upgrade: the new version is tried on a copy of the database first, the old one comes back by itself if the new one
is not ready within $patience seconds.

  --prefix DIR            The program goes to DIR/bin. Default: where it is installed, else /usr/local
  --token[=TOKEN]         Ask for a token from now on: writes an admin token to $tokens.
                          Without TOKEN one is made; --token=- reads it from standard input
  --with-local-rtpengine  Install Debian's rtpengine on this host too, set it up, and add it as a node
  --public-ip ADDR        With --with-local-rtpengine: the public address of this host, if it is behind 1:1 NAT
  --no-start              Put the files in place, but start and restart nothing
  --dry-run               Print what would be changed, and change nothing
  --uninstall             Stop the service and remove it; settings, tokens and data stay
  --purge                 With --uninstall: remove these and the user too
  --help                  This text

Exit codes: 0 it worked, 1 it failed and was undone, 2 it was called wrongly.
EOF
}

say() {
	printf '%s\n' "$*"
}

warn() {
	printf 'install.sh: note: %s\n' "$*" >&2
}

# Ends the program; what was begun is undone by finish().
fail() {
	printf 'install.sh: %s\n' "$*" >&2
	step=''
	exit 1
}

misused() {
	printf 'install.sh: %s (./install.sh --help)\n' "$*" >&2
	step=''
	exit 2
}

# Notes a command that undoes the change about to be made.
later() {
	undo="$1
$undo"
}

finish() {
	status=$?
	trap - EXIT
	trap '' INT TERM HUP PIPE
	# Nothing may end this, not even that nobody reads what is said.
	set +e
	if [ "$status" -ne 0 ] && [ -n "$step" ]; then
		printf 'install.sh: failed while %s\n' "$step" >&2
	fi
	if [ "$status" -ne 0 ] && [ -n "$undo" ]; then
		say 'Undoing what this run began:'
		printf '%s' "$undo" >"$scratch/undo"
		while IFS= read -r line; do
			# A command of this list may read its input; the list is not for it.
			eval "$line" </dev/null || printf 'install.sh: could not undo: %s\n' "$line" >&2
		done <"$scratch/undo"
		say 'undone'
	fi
	[ -z "$scratch" ] || rm -rf "$scratch"
	# A command that failed has a code of its own.
	[ "$status" -eq 0 ] || [ "$status" -gt 128 ] || status=1
	exit "$status"
}

interrupted() {
	printf '\ninstall.sh: interrupted while %s\n' "$step" >&2
	step=''
	exit "$1"
}

# ---------------------------------------------------------------------------------------------------------------------
# Changes. Each one is said, is left out in a dry run, and notes what undoes it.

is_dry() {
	[ "$dry" = yes ]
}

# Says what is done, or what would be done.
doing() {
	step=$1
	if is_dry; then say "dry run: $1"; else say "$1"; fi
}

# place SOURCE TARGET MODE OWNER: makes TARGET a file like SOURCE, in one step, so that a running program keeps its own.
place() {
	if [ -f "$2" ] && [ ! -L "$2" ] && cmp -s "$1" "$2"; then
		if is_dry || [ "$(stat -c '%a %U:%G' "$2")" = "$3 $4" ]; then return 0; fi
		doing "putting owner and mode of $2 right"
		chown "$4" "$2"
		chmod "$3" "$2"

		return 0
	fi
	doing "writing $2"
	changed=yes
	case $2 in
	"$settings" | "$tokens" | "$unit_dir/$service") needs_restart=yes ;;
	esac
	if is_dry; then return 0; fi
	# Before the file is noted: a folder can only be taken away again after it.
	folder "$(dirname "$2")" 755 root:root
	if [ -e "$2" ] || [ -L "$2" ]; then
		kept=$(mktemp "$scratch/kept.XXXXXX")
		cp -a --remove-destination "$2" "$kept" || fail "cannot copy $2"
		later "cp -a --remove-destination \"\$scratch/${kept##*/}\" '$2.old' && mv '$2.old' '$2'"
	else
		later "rm -f '$2'"
	fi
	later "rm -f '$2.new'"
	cp "$1" "$2.new" || fail "cannot write $2: is there room on that disk, and may it be written? (df $(dirname "$2"); mount)"
	chown "$4" "$2.new"
	chmod "$3" "$2.new"
	mv -f "$2.new" "$2"
}

# folder PATH MODE OWNER: makes a folder that is not there, and those above it.
folder() {
	if [ -d "$1" ]; then return 0; fi
	folder "$(dirname "$1")" 755 root:root
	doing "making the folder $1"
	if is_dry; then return 0; fi
	later "rmdir --ignore-fail-on-non-empty '$1'"
	mkdir "$1" || fail "cannot make the folder $1: may that disk be written? (mount)"
	chmod "$2" "$1"
	chown "$3" "$1"
}

# ---------------------------------------------------------------------------------------------------------------------
# What there is

has() {
	command -v "$1" >/dev/null 2>&1
}

systemd_runs() {
	[ -d /run/systemd/system ] && has systemctl
}

is_active() {
	systemd_runs && systemctl is-active --quiet "$1"
}

# One property of a unit, as systemd has it loaded.
property() {
	systemctl show --property="$1" --value "$service" 2>/dev/null || true
}

# The prefix an earlier run took; nothing if there was none.
installed_prefix() {
	[ -f "$unit_dir/$service" ] || return 0
	sed -n 's|^ExecStart=\(/.*\)/bin/rtp-cluster serve.*|\1|p' "$unit_dir/$service" | head -n 1
}

version_of() {
	"$1" --version 2>/dev/null || printf 'a program that does not start\n'
}

# 1.2.3-abcdef01 of "rtp-cluster 1.2.3 (commit abcdef01, bun 1.4.5)".
short_version() {
	version_of "$1" | sed -n 's/^rtp-cluster \([^ ]*\) (commit \([^,]*\),.*/\1-\2/p'
}

# Ours are the files whose sum we noted, and those of earlier versions.
is_ours() {
	sum=$(sha256sum <"$1" | cut -c 1-64)
	if [ -f "$lib/installed" ] && grep -qxF "$sum  $1" "$lib/installed"; then return 0; fi
	sum=$(sed "s|$prefix/bin|/usr/local/bin|g" "$1" | sha256sum | cut -c 1-8)
	case " $earlier_units " in
	*" $sum "*) return 0 ;;
	*) return 1 ;;
	esac
}

# free_kb PATH: room on the disk of PATH, or of the nearest folder above that is there.
free_kb() {
	place_on=$1
	while [ ! -d "$place_on" ]; do place_on=$(dirname "$place_on"); done
	df -Pk "$place_on" | awk 'NR == 2 { print $4 }'
}

# held_by PROTOCOL PORT PID: whether PID (or, with an empty PID, anybody) has the port open on loopback or all addresses.
held_by() {
	state=0A
	if [ "$1" = udp ]; then state=07; fi
	inodes=$(cat "/proc/net/$1" "/proc/net/${1}6" 2>/dev/null |
		awk -v port="$(printf '%04X' "$2")" -v state=$state '
			split($2, at, ":") == 2 && at[2] == port && $4 == state &&
			(at[1] == "0100007F" || at[1] == "00000000000000000000000001000000" || at[1] ~ /^0+$/) { print $10 }')
	[ -n "$inodes" ] || return 1
	[ -n "$3" ] || return 0
	for inode in $inodes; do
		for entry in "/proc/$3/fd"/*; do
			if [ "$(readlink "$entry" 2>/dev/null)" = "socket:[$inode]" ]; then return 0; fi
		done
	done

	return 1
}

# The program that has a port, as far as it can be told.
holder() {
	if has ss; then
		ss -Hlnp "--$1" "sport = :$2" 2>/dev/null | sed -n 's/.*users:((\(.*\)))$/\1/p' | head -n 1
	fi
}

# Where the API answers, as seen from this host.
api_url() {
	case $own_http in
	'') printf 'http://127.0.0.1:7888' ;;
	0.0.0.0:* | '[::]:'*) printf 'http://127.0.0.1:%s' "${own_http##*:}" ;;
	*) printf 'http://%s' "$own_http" ;;
	esac
}

# Settings the service gets by its environment (systemctl edit), and none of the caller's.
take_environment() {
	for name in $(env | sed -n 's/^\(RTP_CLUSTER_[A-Za-z0-9_]*\)=.*/\1/p'); do unset "$name"; done
	unset BUN_OPTIONS BUN_BE_BUN NODE_OPTIONS
	# The tokens of the service.
	export CREDENTIALS_DIRECTORY=/etc/rtp-cluster
	if systemd_runs; then
		if [ "$(property NeedDaemonReload)" = yes ] && ! is_dry; then systemctl daemon-reload; fi
		for pair in $(property Environment); do
			case $pair in
			RTP_CLUSTER_[A-Z]*=*) export "${pair?}" ;;
			esac
		done
	fi
}

# ---------------------------------------------------------------------------------------------------------------------
# The program to install

# Sets binary; builds it where there is none but a source tree.
find_binary() {
	binary=$here/rtp-cluster
	if [ -f "$binary" ]; then return 0; fi
	binary=$here/dist/rtp-cluster
	if [ -f "$binary" ]; then return 0; fi
	[ -f "$here/scripts/build.ts" ] ||
		fail "there is no program to install: neither $here/rtp-cluster nor a source tree to build it from"
	has npm || fail 'there is no built program, and no npm to build it; install Node 20 with npm (apt-get install npm), or take a released tarball'
	doing 'building the program: npm run build'
	if is_dry; then return 0; fi
	# As the owner of the tree: files of root in it would be in his way later.
	owner=$(stat -c %U "$here")
	if [ "$owner" = root ]; then
		(cd "$here" && npm run build) || fail 'the build failed, see above; nothing was changed'
	else
		(cd "$here" && runuser -u "$owner" -- npm run build) || fail "the build failed as $owner, see above; nothing was changed"
	fi
	[ -f "$binary" ] || fail "the build left no $binary"
}

# Whether it starts here; if not, why.
try_binary() {
	if line=$("$binary" --version 2>"$scratch/why"); then return 0; fi
	status=$?
	machine=$(od -An -tx1 -j18 -N1 "$binary" | tr -d ' ')
	case "$machine/$(uname -m)" in
	3e/x86_64 | b7/aarch64) ;;
	3e/*) fail "$binary is for x64 (x86_64), this host is $(uname -m); take the other tarball" ;;
	b7/*) fail "$binary is for arm64 (aarch64), this host is $(uname -m); take the other tarball" ;;
	*) fail "$binary is no Linux program for x64 or arm64" ;;
	esac
	case $status in
	126) fail "$binary may not be executed: $(cat "$scratch/why"). Is its disk mounted noexec, or its mode wrong? (chmod +x; mount)" ;;
	132) fail "$binary ends with an illegal instruction: this processor is too old for it" ;;
	*) fail "$binary does not start (exit code $status): $(head -n 3 "$scratch/why"). It needs glibc 2.17 or newer; here is $(getconf GNU_LIBC_VERSION 2>/dev/null || echo another C library)" ;;
	esac
}

# ---------------------------------------------------------------------------------------------------------------------
# Before anything is changed

preflight() {
	step='looking at this host'
	case $prefix in
	/home/* | /root* | /run/user/* | /tmp* | /var/tmp*)
		fail "--prefix $prefix: the service cannot see home and temporary folders; take /usr/local or /opt" ;;
	esac
	if [ -f /lib/systemd/system/$service ] && dpkg-query -S /lib/systemd/system/$service >/dev/null 2>&1; then
		fail 'the Debian package rtp-cluster is installed here; upgrade it by a newer package (apt-get install ./rtp-cluster_*.deb), or remove it first (apt-get remove rtp-cluster keeps settings and data)'
	fi
	there=$(installed_prefix)
	if [ -n "$there" ] && [ "$there" != "$prefix" ]; then
		fail "it is installed under $there; leave --prefix out to upgrade that, or ./install.sh --uninstall first (settings and data stay)"
	fi
	if systemd_runs; then
		case $(systemctl is-enabled $service 2>/dev/null || true) in
		masked*) fail "somebody masked $service, so that nothing starts it; if it shall run again: systemctl unmask rtp-cluster" ;;
		esac
	fi
	for place_to in "$prefix" /usr/lib /etc /var/lib; do
		while [ ! -d "$place_to" ]; do place_to=$(dirname "$place_to"); done
		# Root may write everywhere but on what is mounted read-only.
		is_dry || [ -w "$place_to" ] || fail "$place_to cannot be written; is it mounted read-only? (mount -o remount,rw)"
	done
	# The program, and the old one beside it. A backup looks for room by itself.
	need=$(($(stat -c %s "$binary" 2>/dev/null || echo 0) * 2 / 1024 + 4096))
	room=$(free_kb "$prefix")
	[ "$room" -ge "$need" ] || fail "the disk of $prefix has $((room / 1024)) MB left; $((need / 1024)) MB are needed"
	if [ "$was_active" = no ] && [ -z "$own_http" ] && held_by tcp 7888 ''; then
		by=$(holder tcp 7888)
		fail "TCP port 7888 is taken${by:+ by $by}; stop that, or give this program another one: write http.listen into $settings (\"$binary check --defaults\" shows the file)"
	fi
}

# The new program reads the settings, which also say where the database is.
check_settings() {
	step='checking the settings'
	if [ ! -x "$binary" ]; then return 0; fi
	for file in $settings $tokens; do
		if [ -e "$file" ] && [ ! -r "$file" ]; then fail "only root may read $file, which says what is to be done: sudo ./install.sh"; fi
	done
	"$binary" check >"$scratch/check" 2>&1 || refused 'the settings'
	named=$(awk '$1 == "database.path" { gsub("\"", "", $2); print $2 }' "$scratch/check")
	database=${named:-$database}
	own_http=$(awk '$1 == "http.listen" { gsub("\"", "", $2); print $2 }' "$scratch/check")
	own_ng=$(awk '$1 == "ng.listen" { print "yes" }' "$scratch/check")
}

# It tries on a copy what it would do to the database.
check_database() {
	if [ ! -f "$database" ] || [ ! -x "$binary" ]; then return 0; fi
	step='checking the database'
	say "checking $database with this version"
	"$binary" check --database >"$scratch/check" 2>&1 || refused 'the database'
	grep '^Migrations:' "$scratch/check" || true
	if grep -qE '[1-9][0-9]* to do' "$scratch/check"; then migrates=yes; fi
}

refused() {
	sed 's/^/  /' "$scratch/check" >&2
	if is_active $service; then fail "this version does not take $1, see above; the service goes on with the old one, unchanged"; fi
	fail "this version does not take $1, see above; nothing was changed"
}

# ---------------------------------------------------------------------------------------------------------------------
# Installation

make_user() {
	place "$here/systemd/sysusers.conf" $sysusers 644 root:root
	# Not by id or getent: systemd's own resolver shows the passing user of DynamicUser= there.
	if grep -q "^$user:" /etc/passwd; then return 0; fi
	doing "making the user $user"
	if is_dry; then return 0; fi
	later remove_user
	if has systemd-sysusers; then
		systemd-sysusers $sysusers 2>"$scratch/why" || fail "systemd-sysusers: $(cat "$scratch/why")"
	else
		useradd --system --user-group --no-create-home --home-dir $data --shell /usr/sbin/nologin $user
	fi
	grep -q "^$user:" /etc/passwd || fail "the user $user could not be made"
}

remove_user() {
	if grep -q "^$user:" /etc/passwd; then userdel $user; fi
	if grep -q "^$user:" /etc/group; then groupdel $user; fi
}

make_folders() {
	place "$here/systemd/tmpfiles.conf" $tmpfiles 644 root:root
	folder /etc/rtp-cluster 755 root:root
	if [ ! -e $data ] && ! is_dry; then later "rm -rf $data"; fi
	folder $data 700 $user:$user
	folder $backups 700 $user:$user
	if ! is_dry && has systemd-tmpfiles; then systemd-tmpfiles --create $tmpfiles; fi
}

# Before there was a user of its own, systemd made one for each run (DynamicUser=) and hid the data in a private folder.
take_over_data() {
	[ -d $private_data ] || return 0
	# A run that was killed in between has taken the link away.
	[ -L $data ] || [ ! -e $data ] || return 0
	if [ "$was_active" != no ] && [ "$start" = no ]; then
		fail "the data of the earlier installation can only be moved while the service stands still; leave --no-start out, or first: systemctl stop rtp-cluster"
	fi
	doing "moving the data of the earlier installation from $private_data to $data"
	changed=yes
	if is_dry; then return 0; fi
	was_owner=$(stat -c %u:%g $private_data)
	later give_back_data
	if [ "$was_active" != no ]; then
		systemctl stop $service
		restarted=yes
	fi
	make_user
	# In this order it can be killed after each step, and the next run goes on.
	chown -R $user:$user $private_data
	rm -f $data
	mv $private_data $data
	chmod 700 $data
}

give_back_data() {
	if [ -d $data ] && [ ! -L $data ]; then mv $data $private_data; fi
	chown -R "$was_owner" $private_data
	ln -sfn private/rtp-cluster $data
}

make_settings() {
	if [ ! -e $settings ]; then
		if is_dry && [ ! -x "$binary" ]; then
			doing "writing $settings"
		else
			"$binary" check --defaults >"$scratch/config.toml"
			place "$scratch/config.toml" $settings 640 root:$user
		fi
	elif ! is_dry && ! runuser -u $user -- test -r $settings; then
		warn "$settings cannot be read by the user $user: chgrp $user $settings; chmod g+r $settings"
	fi
	if [ -f $tokens ]; then
		cat $tokens >"$scratch/tokens"
	else
		cat >"$scratch/tokens" <<'EOF'
# Who may use the HTTP API: one line for each, ROLE NAME TOKEN. Roles: call (media requests), read, admin.
# A token has 16 or more letters, digits and ._~+/=-; make one with: openssl rand -hex 24
# Without a line nobody is asked for a token, and only this host may ask. Afterwards: systemctl reload rtp-cluster
EOF
	fi
	if [ -n "$token" ]; then add_token; fi
	place "$scratch/tokens" $tokens 600 root:root
}

# Adds the token of --token to what will be the file.
add_token() {
	if grep -q '^admin install ' "$scratch/tokens"; then
		if [ "$token" = make ] || grep -qxF "admin install $token" "$scratch/tokens"; then
			say "$tokens has a token named install already; it stays"

			return 0
		fi
		fail "$tokens has another token named install; take that line out first"
	fi
	# One that was given is known already, and need not stand on a screen.
	new_token='YOUR_TOKEN'
	if [ "$token" = make ]; then
		token=$(od -An -tx1 -N24 /dev/urandom | tr -d ' \n')
		new_token=$token
	fi
	printf 'admin install %s\n' "$token" >>"$scratch/tokens"
}

place_binary() {
	target=$prefix/bin/rtp-cluster
	if [ -f "$target" ] && cmp -s "$binary" "$target"; then return 0; fi
	if is_dry && [ ! -f "$binary" ]; then
		doing "writing $target"

		return 0
	fi
	folder "$prefix/bin" 755 root:root
	folder "$lib" 755 root:root
	if [ -f "$target" ]; then
		doing "keeping the old program as $lib/rtp-cluster.previous"
		if ! is_dry; then
			later "rm -f '$lib/rtp-cluster.previous.new'"
			cp "$target" "$lib/rtp-cluster.previous.new" || fail "cannot keep the old program in $lib; is there room on that disk? (df $lib)"
			mv -f "$lib/rtp-cluster.previous.new" "$lib/rtp-cluster.previous"
			later "cmp -s '$lib/rtp-cluster.previous' '$target' || { cp '$lib/rtp-cluster.previous' '$target.old' && mv -f '$target.old' '$target'; }"
		fi
	elif ! is_dry; then
		later "rm -f '$target'"
	fi
	doing "writing $target: $(version_of "$binary")"
	changed=yes
	needs_restart=yes
	if is_dry; then return 0; fi
	later "rm -f '$target.new'"
	# Beside the old one, then in its place: a running program keeps its file.
	cp "$binary" "$target.new" || fail "cannot write $target; is there room on that disk? (df $prefix)"
	chmod 755 "$target.new"
	mv -f "$target.new" "$target"
}

# Where each shell looks for completions.
completion_of() {
	case $1 in
	bash) printf '%s/share/bash-completion/completions/rtp-cluster' "$prefix" ;;
	zsh) printf '%s/share/zsh/site-functions/_rtp-cluster' "$prefix" ;;
	# Of /usr/local fish knows nothing where XDG_DATA_DIRS is not set, as over ssh.
	fish) printf '/etc/fish/completions/rtp-cluster.fish' ;;
	esac
}

place_completions() {
	for shell in bash zsh fish; do
		file=$(completion_of $shell)
		# The folders of zsh and fish come with them: where there are none, nobody would read the file.
		if [ $shell != bash ] && [ ! -d "${file%/*}" ]; then continue; fi
		# Not there yet in a trial run that would have built it.
		if [ -f "$binary" ] && "$binary" completion $shell >"$scratch/completion" 2>/dev/null; then
			place "$scratch/completion" "$file" 644 root:root
		fi
	done
}

drop_completions() {
	for shell in bash zsh fish; do drop "$(completion_of $shell)"; done
	leaf=$prefix/share/bash-completion/completions
	is_dry || rmdir --ignore-fail-on-non-empty "$leaf" "${leaf%/*}" 2>/dev/null || true
}

place_units() {
	: >"$scratch/installed"
	for source in "$here"/systemd/rtp-cluster*.service "$here"/systemd/rtp-cluster*.timer; do
		if [ ! -f "$source" ]; then continue; fi
		name=$(basename "$source")
		sed "s|/usr/local/bin|$prefix/bin|g" "$source" >"$scratch/$name"
		printf '%s  %s\n' "$(sha256sum <"$scratch/$name" | cut -c 1-64)" "$unit_dir/$name" >>"$scratch/installed"
		if [ -f "$unit_dir/$name" ] && ! cmp -s "$scratch/$name" "$unit_dir/$name" && ! is_ours "$unit_dir/$name"; then
			warn "$unit_dir/$name was changed by hand and stays as it is; ours is $lib/$name. Changes are better kept in a drop-in: systemctl edit $name"
			place "$scratch/$name" "$lib/$name" 644 root:root
			continue
		fi
		place "$scratch/$name" "$unit_dir/$name" 644 root:root
	done
	place "$scratch/installed" "$lib/installed" 644 root:root
	if [ -d "$unit_dir/$service.d" ]; then say "$unit_dir/$service.d has settings of yours; they stay"; fi
}

# ---------------------------------------------------------------------------------------------------------------------
# Start, and back

back_up_database() {
	if [ ! -f "$database" ]; then return 0; fi
	copy=$backups/rtp-cluster-before-$(short_version "$binary").db
	doing "backing up the database to $copy"
	if is_dry; then return 0; fi
	mkdir -p $backups
	chmod 700 $backups
	chown --reference=$data/. $backups
	if ! "$binary" backup "$copy" >"$scratch/backup" 2>&1; then
		fail "the backup failed, so nothing was changed: $(cat "$scratch/backup")"
	fi
	chown --reference=$data/. "$copy"
	# The newest first; names have no blanks.
	for old in $(find $backups -maxdepth 1 -name 'rtp-cluster-before-*.db' -printf '%T@ %p\n' | sort -rn |
		awk -v keep=$keep_backups 'NR > keep { print $2 }'); do
		rm -f "$old"
	done
}

# The last step of undoing, when the old files are back.
settle() {
	systemctl daemon-reload
	systemctl reset-failed $service 2>/dev/null || true
	if [ "$was_active" = no ] || [ "$restarted" = no ]; then return 0; fi
	systemctl stop $service
	# It may have ended before it came to that; then there is nothing to bring back, and what came in since stays.
	if [ "$migrates" = yes ] && [ -n "${copy:-}" ] && ! "$prefix/bin/rtp-cluster" check --database >/dev/null 2>&1; then
		say "bringing the database back from $copy: the new version had changed its tables"
		restore_copy || printf 'install.sh: the database could not be brought back; as soon as nothing uses it: %s restore %s\n' "$binary" "$copy" >&2
	fi
	systemctl --no-block start $service
	if [ "$was_active" = trying ]; then
		say 'the service tries to start again and again, as it did before: journalctl -u rtp-cluster'
	elif wait_ready "$prefix/bin/rtp-cluster"; then
		say "the old version runs again: $(version_of "$prefix/bin/rtp-cluster")"
	else
		printf 'install.sh: the old version is back, but not ready: journalctl -u rtp-cluster\n' >&2
	fi
}

# What the new version has started may need a moment to let go of the database.
restore_copy() {
	for _ in 1 2 3 4 5 6 7 8 9; do
		if "$binary" restore "$copy" >"$scratch/restore" 2>&1; then return 0; fi
		sleep 1
	done
	sed 's/^/  /' "$scratch/restore" >&2

	return 1
}

# wait_ready PROGRAM: until the service says so to systemd, and then to who asks it. Says nothing; verdict is why not.
wait_ready() {
	until=$(($(date +%s) + patience))
	# A large database takes its time to be rewritten, and must not be interrupted by us.
	if [ "$migrates" = yes ]; then until=$((until + 270)); fi
	begun=$(property NRestarts)
	while [ "$(date +%s)" -le $until ]; do
		if is_active $service && answers "$1"; then return 0; fi
		tried=$(property NRestarts)
		# It dies as soon as it starts, again and again: no need to wait for the end.
		if [ $((${tried:-0} - ${begun:-0})) -ge 4 ]; then
			verdict='it ends as soon as it is started'

			return 1
		fi
		sleep 0.2
	done
	verdict="that took more than $patience seconds"

	return 1
}

# A unit changed by hand may have settings we do not know; then systemd's word must do.
answers() {
	if [ -n "$(property EnvironmentFiles)" ]; then return 0; fi
	case $(property ExecStart) in
	*"argv[]=$prefix/bin/rtp-cluster serve ;"*) ;;
	*) return 0 ;;
	esac
	# Earlier versions cannot be asked either.
	"$1" healthcheck --help >/dev/null 2>&1 || return 0
	"$1" healthcheck --timeout 2000 >"$scratch/health" 2>&1
}

enable_units() {
	if ! systemd_runs; then
		say 'systemd does not run here, so the service was not enabled and not started; to run it: rtp-cluster serve'

		return 0
	fi
	if is_dry; then return 0; fi
	systemctl daemon-reload
	for name in $service rtp-cluster-backup.timer; do
		if [ -f "$unit_dir/$name" ] && ! systemctl --quiet is-enabled "$name" 2>/dev/null; then
			doing "enabling $name"
			later "systemctl --quiet disable $name"
			systemctl --quiet enable "$name"
		fi
	done
}

start_service() {
	if ! systemd_runs; then return 0; fi
	if [ "$start" = no ]; then
		if is_active $service && [ "$needs_restart" = no ]; then return 0; fi
		if is_active $service; then
			say 'not restarted (--no-start): the running service is the old version until: systemctl restart rtp-cluster'
		else
			say 'not started (--no-start): systemctl start rtp-cluster'
		fi

		return 0
	fi
	if [ -f "$unit_dir/rtp-cluster-backup.timer" ] && ! is_active rtp-cluster-backup.timer; then
		doing 'starting the timer of the nightly backup'
		if ! is_dry; then
			later 'systemctl stop rtp-cluster-backup.timer'
			systemctl start rtp-cluster-backup.timer
		fi
	fi
	if is_active $service && [ "$needs_restart" = no ]; then return 0; fi
	if [ "$was_active" = yes ]; then doing 'restarting the service'; else doing 'starting the service'; fi
	if is_dry; then return 0; fi
	# Runs first when this is undone: before the files go.
	later "systemctl stop $service"
	restarted=yes
	# Not restart: what answers from here on is the new one.
	systemctl stop $service
	if [ "$was_active" = yes ] && [ "$migrates" = yes ]; then
		# Once more with nothing going on, so that the way back loses no call that came in since.
		step='backing up the database'
		"$binary" backup "$copy" >"$scratch/backup" 2>&1 || fail "the backup failed: $(cat "$scratch/backup")"
		chown --reference=$data/. "$copy"
	fi
	since=$(date '+%Y-%m-%d %H:%M:%S.%6N')
	systemctl --no-block start $service
	step='waiting until the service is ready'
	if ! wait_ready "$binary"; then
		printf 'install.sh: the last words of the service:\n' >&2
		journalctl --sync 2>/dev/null || true
		for writer in rtp-cluster systemd; do
			journalctl --unit=rtp-cluster --identifier=$writer --since="$since" --lines=5 --output=cat --no-pager 2>/dev/null |
				sed 's/^/  /' >&2 || true
		done
		if [ -s "$scratch/health" ]; then sed 's/^/  /' "$scratch/health" >&2; fi
		fail "the service is not ready: $verdict"
	fi
}

# The ng port is done without if somebody else has it; that must not go unnoticed.
look_at_ng() {
	pid=$(property MainPID)
	if [ "${pid:-0}" = 0 ] || [ -n "$own_ng" ] || held_by udp 2223 "$pid"; then return 0; fi
	if held_by udp 2223 ''; then
		by=$(holder udp 2223)
		warn "UDP port 2223 is taken${by:+ by $by}, so the ng protocol is not served (Debian's rtpengine listens there by default). Give rtpengine another port (listen-ng in $relay_settings), or us: ng.listen in $settings; then: systemctl restart rtp-cluster"
	fi
}

# ---------------------------------------------------------------------------------------------------------------------
# A relay on this host

refuse_relay() {
	has apt-get || fail '--with-local-rtpengine installs the package of Debian, and there is no apt-get here'
	systemd_runs || fail '--with-local-rtpengine wants a running systemd'
	local_address=$(own_address)
	[ -n "$local_address" ] || fail '--with-local-rtpengine: this host has no IPv4 address but loopback that rtpengine could use'
	if [ ! -f $relay_settings ] || is_relay_ours || is_relay_default; then return 0; fi
	fail "$relay_settings was made by hand and is left alone. Set there: table = -1, interface = $local_address, listen-ng = 127.0.0.1:$relay_port; restart rtpengine-daemon; and then, without --with-local-rtpengine: $(node_add)"
}

is_relay_ours() {
	grep -qs '^# Made by install.sh of rtp_cluster' $relay_settings
}

# Whether the file is as the package brought it.
is_relay_default() {
	packaged=$(dpkg-query -W -f='${Conffiles}\n' rtpengine-daemon 2>/dev/null | awk -v file=$relay_settings '$1 == file { print $2 }')
	[ "$packaged" = "$(md5sum <$relay_settings | cut -c 1-32)" ]
}

# The address this host sends from, towards everywhere; without a way there, the first it has.
own_address() {
	if has ip; then
		found=$(ip -4 route get 192.0.2.1 2>/dev/null | sed -n 's/.* src \([0-9.]*\).*/\1/p' | head -n 1)
		[ -n "$found" ] || found=$(ip -4 -o addr show scope global up 2>/dev/null | awk '{ sub("/.*", "", $4); print $4; exit }')
	else
		found=$(hostname -I 2>/dev/null | tr ' ' '\n' | grep -m 1 '^[0-9.]*$' || true)
	fi
	printf '%s' "$found"
}

node_add() {
	printf 'rtp-cluster node add udp:127.0.0.1:%s --set 0 --inner %s --outer %s' $relay_port "$local_address" "${public_ip:-$local_address}"
}

install_relay_package() {
	if dpkg-query -W -f='${Status}' rtpengine-daemon 2>/dev/null | grep -q '^install ok installed'; then return 0; fi
	doing 'installing the package rtpengine-daemon (apt-get)'
	if is_dry; then return 0; fi
	# Or it would start at once, with the settings of the package, and take our ng port.
	later 'systemctl --quiet --runtime unmask rtpengine-daemon.service'
	systemctl --quiet --runtime mask rtpengine-daemon.service 2>/dev/null
	export DEBIAN_FRONTEND=noninteractive
	if ! apt-get install -y -q --no-install-recommends rtpengine-daemon >"$scratch/apt" 2>&1; then
		say 'not found in the lists of packages; asking for newer ones: apt-get update'
		apt-get update -q >>"$scratch/apt" 2>&1 || true
		apt-get install -y -q --no-install-recommends rtpengine-daemon >>"$scratch/apt" 2>&1 ||
			fail "apt-get could not install rtpengine-daemon: $(grep -E '^(E|Err):?' "$scratch/apt" | tail -n 3)"
	fi
	systemctl --quiet --runtime unmask rtpengine-daemon.service
	later "say 'the package rtpengine-daemon stays; to remove it: apt-get purge rtpengine-daemon'"
}

set_up_relay() {
	later "say 'rtp_cluster itself stays as it is'"
	if is_relay_ours; then
		say "$relay_settings is ours already and stays"
	else
		doing "writing $relay_settings: rtpengine on $local_address, ng on 127.0.0.1:$relay_port"
		if ! is_dry && [ ! -e $relay_settings.before-rtp-cluster ]; then
			later "mv -f $relay_settings.before-rtp-cluster $relay_settings"
			cp -p $relay_settings $relay_settings.before-rtp-cluster
		fi
		cat >"$scratch/rtpengine.conf" <<EOF
# Made by install.sh of rtp_cluster (--with-local-rtpengine); yours to change from now on, it is not written again.
# The settings of the package are in $relay_settings.before-rtp-cluster.
[rtpengine]
# Forwarding in the program: the module for the kernel is a package of its own.
table = -1
# One address; rtp_cluster puts the public one into the SDP where it belongs.
interface = $local_address
# Not 2223: there rtp_cluster itself answers the proxy.
listen-ng = 127.0.0.1:$relay_port
listen-cli = 127.0.0.1:2224
timeout = 60
silent-timeout = 3600
tos = 184
port-min = 30000
port-max = 40000
EOF
		if ! is_dry; then
			cp "$scratch/rtpengine.conf" $relay_settings.new
			chmod 644 $relay_settings.new
			mv -f $relay_settings.new $relay_settings
			later 'systemctl try-restart rtpengine-daemon.service'
			doing 'starting rtpengine-daemon'
			systemctl --quiet enable rtpengine-daemon.service
			systemctl restart rtpengine-daemon.service ||
				fail "rtpengine does not start: $(journalctl --unit=rtpengine-daemon --identifier=rtpengine --lines=4 --output=cat --no-pager)"
		fi
	fi
	if is_dry; then
		doing "adding it as a node: $(node_add)"

		return 0
	fi
	is_active rtpengine-daemon.service || systemctl start rtpengine-daemon.service ||
		fail 'rtpengine does not start: journalctl -u rtpengine-daemon'
	nodes=$("$binary" node list --json) || fail 'the list of nodes cannot be read'
	case $nodes in
	*"\"udp:127.0.0.1:$relay_port\""*)
		say "udp:127.0.0.1:$relay_port is a node already" ;;
	*)
		doing "adding it as a node: $(node_add)"
		# Without the first word, by the program of this version; its words hold no blanks.
		arguments=$(node_add)
		# shellcheck disable=SC2086
		"$binary" ${arguments#rtp-cluster } || fail 'the node could not be added'
		;;
	esac
}

# ---------------------------------------------------------------------------------------------------------------------
# Removal

uninstall() {
	preflight_uninstall
	if systemd_runs; then
		for name in rtp-cluster-backup.timer rtp-cluster-backup.service $service; do
			if [ "$(systemctl show --property=LoadState --value "$name")" = loaded ]; then
				doing "stopping $name"
				is_dry || systemctl stop "$name" || fail "$name does not stop: systemctl status $name"
			fi
		done
		is_dry || systemctl --quiet disable rtp-cluster-backup.timer $service 2>/dev/null || true
	fi
	for name in $service rtp-cluster-backup.timer rtp-cluster-backup.service; do
		file=$unit_dir/$name
		if [ -f "$file" ] && [ -f "$lib/$name" ] && [ "$purge" = no ]; then
			doing "keeping $file, which was changed by hand, as /etc/rtp-cluster/$name"
			is_dry || mv "$file" "/etc/rtp-cluster/$name"
		else
			drop "$file"
		fi
		if [ -d "$file.d" ] && [ "$purge" = no ]; then say "$file.d has settings of yours and stays"; fi
	done
	drop "$prefix/bin/rtp-cluster" "$lib" $sysusers $tmpfiles /run/rtp-cluster \
		/var/lib/systemd/timers/stamp-rtp-cluster-backup.timer
	drop_completions
	case $prefix in
	/usr | /usr/local) ;;
	*) is_dry || rmdir --ignore-fail-on-non-empty "$prefix/bin" "$prefix/lib" "$prefix/share" "$prefix" 2>/dev/null || true ;;
	esac
	if [ "$purge" = yes ]; then
		for name in $service rtp-cluster-backup.timer rtp-cluster-backup.service; do drop "$unit_dir/$name.d"; done
		drop /etc/rtp-cluster $data $private_data
		if grep -q "^$user:" /etc/passwd; then
			doing "removing the user $user"
			is_dry || remove_user
		fi
	else
		say "Settings and tokens stay in /etc/rtp-cluster, data and backups in $data, and the user $user, who owns them;"
		say './install.sh --uninstall --purge removes them too.'
	fi
	if systemd_runs && ! is_dry; then
		systemctl daemon-reload
		systemctl reset-failed 'rtp-cluster*' 2>/dev/null || true
	fi
	if is_relay_ours; then
		say "rtpengine stays as it was set up ($relay_settings); to remove it: apt-get purge rtpengine-daemon"
	fi
	if is_dry; then say 'Nothing was changed (--dry-run).'; else say 'rtp_cluster is gone from this host.'; fi
}

preflight_uninstall() {
	if dpkg-query -S /lib/systemd/system/$service >/dev/null 2>&1; then
		fail 'it was installed by the Debian package: apt-get remove rtp-cluster (or purge)'
	fi
}

drop() {
	for gone in "$@"; do
		if [ -e "$gone" ] || [ -L "$gone" ]; then
			doing "removing $gone"
			is_dry || rm -rf "$gone"
		fi
	done
}

# ---------------------------------------------------------------------------------------------------------------------

print_version() {
	if [ -f "$prefix/bin/rtp-cluster" ]; then
		say "installed: $(version_of "$prefix/bin/rtp-cluster") in $prefix/bin"
	else
		say 'installed: nothing'
	fi
	if [ -f "$here/rtp-cluster" ]; then
		say "here:      $(version_of "$here/rtp-cluster")"
	elif [ -f "$here/dist/rtp-cluster" ]; then
		say "here:      $(version_of "$here/dist/rtp-cluster")"
	else
		say "here:      no program yet; it would be built from the sources in $here"
	fi
}

next_steps() {
	program=$prefix/bin/rtp-cluster
	if [ "$(command -v rtp-cluster)" = "$program" ]; then program=rtp-cluster; fi
	parameter='modparam("rtpengine", "rtpengine_sock", "udp:127.0.0.1:2223")'
	if [ -n "$own_ng" ]; then parameter="rtpengine_sock is what ng.listen in $settings says"; fi
	say ''
	say 'Next:'
	say "1. Add your relays:   $program node add udp:192.168.2.3:7890 --set 0 --inner 192.168.2.3 --outer 1.2.3.4"
	say '2. Point the proxy at us, OpenSIPS or Kamailio:'
	say "                      $parameter"
	say '   Flags and whole scripts are in docs/ng.md; by HTTP instead: '"$(api_url)/openapi"
	say "3. Watch:             $(api_url)/ in a browser on this host, or $program top; log: journalctl -u rtp-cluster"
	say '                      From another host: docs/dashboard.md'
}

tell_token() {
	say ''
	say "The API asks for a token now: the line \"admin install\" of $tokens. Commands of root find it there. For others:"
	say "  curl -H \"Authorization: Bearer $new_token\" $(api_url)/v1/nodes"
}

install() {
	find_binary
	if [ -f "$binary" ]; then
		[ -x "$binary" ] || is_dry || chmod +x "$binary"
		try_binary
		say "$line"
	fi
	take_environment
	check_settings
	was_active=no
	if is_active $service; then
		was_active=yes
	elif systemd_runs && [ "$(property ActiveState)" = activating ]; then
		was_active=trying
	fi
	preflight
	if [ "$with_relay" = yes ]; then refuse_relay; fi
	old=''
	if [ -x "$prefix/bin/rtp-cluster" ]; then old=$(version_of "$prefix/bin/rtp-cluster"); fi
	if [ -n "$old" ] && [ -f "$binary" ] && cmp -s "$binary" "$prefix/bin/rtp-cluster"; then
		say "It is this version that is installed; looking for what is missing."
		if [ -L $data ]; then back_up_database; fi
	else
		if [ -n "$old" ]; then say "upgrading $old"; fi
		check_database
		back_up_database
	fi
	if [ "$with_relay" = yes ]; then install_relay_package; fi
	if systemd_runs && ! is_dry; then later settle; fi
	take_over_data
	make_user
	make_folders
	make_settings
	place_binary
	place_completions
	place_units
	enable_units
	start_service
	# From here on it is installed, and stays so whatever happens to the relay.
	undo=''
	if is_dry; then
		if [ "$with_relay" = yes ]; then set_up_relay; fi
		say 'Nothing was changed (--dry-run).'

		return 0
	fi
	if systemd_runs && [ "$start" = yes ]; then
		if [ "$changed" = no ]; then
			say 'Nothing was missing; the service runs.'
		else
			say "Installed and ready: $(version_of "$prefix/bin/rtp-cluster")"
			if [ -n "$old" ] && [ -n "${copy:-}" ]; then say "From before: $lib/rtp-cluster.previous, $copy"; fi
		fi
		look_at_ng
		if [ "$with_relay" = yes ]; then set_up_relay; fi
	elif [ "$with_relay" = yes ]; then
		say "The relay is not set up without the service; later: ./install.sh --with-local-rtpengine"
	fi
	undo=''
	if [ -n "$new_token" ]; then tell_token; fi
	if [ -z "$old" ]; then next_steps; fi
}

mode=install
prefix=''
start=yes
token=''
new_token=''
with_relay=no
public_ip=''
purge=no
while [ $# -gt 0 ]; do
	case $1 in
	--help | -h) mode=help ;;
	--version) mode=version ;;
	--prefix=*) prefix=${1#*=} ;;
	--prefix)
		[ $# -ge 2 ] || misused '--prefix wants a folder'
		prefix=$2
		shift
		;;
	--dry-run) dry=yes ;;
	--no-start) start=no ;;
	--token) token='make' ;;
	--token=-)
		IFS= read -r token || [ -n "$token" ] || misused '--token=-: standard input is empty'
		;;
	--token=*)
		token=${1#*=}
		warn 'other users of this host can see the token on the command line; --token=- reads it from standard input'
		;;
	--with-local-rtpengine) with_relay=yes ;;
	--public-ip=*) public_ip=${1#*=} ;;
	--public-ip)
		[ $# -ge 2 ] || misused '--public-ip wants an address'
		public_ip=$2
		shift
		;;
	--uninstall) mode=uninstall ;;
	--purge) purge=yes ;;
	*) misused "there is no flag \"$1\"" ;;
	esac
	shift
done
step='looking at this host'
: "${prefix:=$(installed_prefix)}"
prefix=${prefix:-/usr/local}
case $prefix in
*[!A-Za-z0-9/._-]* | [!/]*) misused "--prefix is \"$prefix\"; it must be an absolute path of letters, digits and /._-" ;;
esac
prefix=${prefix%/}
lib=$prefix/lib/rtp-cluster
case $token in
'' | make) ;;
*[!A-Za-z0-9._~+/=-]*) misused 'a token has only letters, digits and ._~+/=-' ;;
*) [ ${#token} -ge 16 ] || misused "the token has ${#token} characters; allowed are 16 or more" ;;
esac
case $public_ip in
*[!0-9a-fA-F.:]*) misused "--public-ip is \"$public_ip\", which is no IP address" ;;
esac
[ "$purge" = no ] || [ $mode = uninstall ] || misused '--purge goes with --uninstall'
[ -z "$public_ip" ] || [ $with_relay = yes ] || misused '--public-ip goes with --with-local-rtpengine'

case $mode in
help) usage ;;
version) print_version ;;
*)
	is_dry || [ "$(id -u)" = 0 ] || fail "must run as root: sudo ./install.sh (--version works without; before the first installation --dry-run, too)"
	scratch=$(mktemp -d) || fail "cannot make a folder for temporary files in ${TMPDIR:-/tmp}; is the disk full?"
	trap finish EXIT
	trap 'interrupted 130' INT
	trap 'interrupted 143' TERM
	trap 'interrupted 129' HUP
	trap 'interrupted 141' PIPE
	# Two at once would undo each other's changes. The lock leaves no file, and ends with this process.
	exec 9</etc
	is_dry || ! has flock || flock -n 9 || fail 'another install.sh is at work on this host; wait for it'
	if [ $mode = install ]; then install; else uninstall; fi
	;;
esac
