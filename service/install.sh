#!/bin/sh
# Installs Stopmark as a service of systemd, upgrades it in place, or removes it. Safe to run again.
#   install.sh [--dry-run] [--root FOLDER] PROGRAM     install or upgrade; PROGRAM is the `stopmark` to install
#   install.sh --uninstall [--dry-run] [--root FOLDER] remove; configuration, state and logs stay
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
root=
program=
is_dry=no
is_uninstall=no

fail() {
    printf 'error: %s\n' "$1" >&2
    exit 1
}

while [ $# -gt 0 ]; do
    case $1 in
        --dry-run) is_dry=yes ;;
        --uninstall) is_uninstall=yes ;;
        --root)
            [ $# -ge 2 ] || fail "--root needs a folder"
            root=$2
            shift
            ;;
        --help | -h)
            sed -n '2,4s/^# *//p' "$0"
            exit 0
            ;;
        -*) fail "unknown option $1, see --help" ;;
        *) program=$1 ;;
    esac
    shift
done

# Says what is done, and does it unless only asked.
act() {
    printf '%s\n' "$*"
    [ "$is_dry" = yes ] || "$@"
}

# What talks to the running system is left out where another root is installed to.
act_live() {
    [ -n "$root" ] || act "$@"
}

[ "$is_dry" = yes ] || [ -n "$root" ] || [ "$(id -u)" = 0 ] || fail "run this as root"

if [ "$is_uninstall" = yes ]; then
    act_live systemctl disable --now stopmark.service
    for file in /usr/lib/systemd/system/stopmark.service /usr/lib/sysusers.d/stopmark.conf \
        /usr/lib/tmpfiles.d/stopmark.conf /usr/bin/stopmark; do
        act rm -f "$root$file"
    done
    act_live systemctl daemon-reload
    printf 'kept: /etc/stopmark, /var/lib/stopmark, /var/log/stopmark\n'
    exit 0
fi

[ -n "$program" ] || fail "name the program to install, see --help"
[ -x "$program" ] || fail "$program is not a program"

# Beside the old one first: a running service keeps its file, and nobody ever sees half of one.
act install -D -m 0755 "$program" "$root/usr/bin/stopmark.new"
act mv -f "$root/usr/bin/stopmark.new" "$root/usr/bin/stopmark"
act install -D -m 0644 "$here/stopmark.service" "$root/usr/lib/systemd/system/stopmark.service"
act install -D -m 0644 "$here/stopmark.sysusers" "$root/usr/lib/sysusers.d/stopmark.conf"
act install -D -m 0644 "$here/stopmark.tmpfiles" "$root/usr/lib/tmpfiles.d/stopmark.conf"
act_live systemd-sysusers /usr/lib/sysusers.d/stopmark.conf
act_live systemd-tmpfiles --create /usr/lib/tmpfiles.d/stopmark.conf
act_live systemctl daemon-reload

if [ -e "$root/etc/stopmark/stopmark.toml" ]; then
    act_live systemctl enable stopmark.service
    act_live systemctl restart stopmark.service
    printf 'done: see `systemctl status stopmark` and http://127.0.0.1:7475/\n'
else
    printf 'next: write /etc/stopmark/stopmark.toml (`stopmark init` helps), try it with `stopmark check`, then\n'
    printf '      systemctl enable --now stopmark\n'
fi
