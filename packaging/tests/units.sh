#!/bin/sh
# What the installed units do under systemd. Runs as a service of a container that boot.sh made, with
# the package at /elsinore.deb, no network but loopback, and no DNS.
set -eu

relay=elsinore-relay.service
say() { echo "units: $*"; }
fail() {
    say "FAILED: $*"
    systemctl status --no-pager --lines=0 elsinore-relay elsinore-policyd || true
    journalctl --no-pager --lines=60 --unit=elsinore-relay --unit=elsinore-policyd || true
    exit 1
}
shows() { systemctl show --property="$2" --value "$1"; }
# Waits until a command says yes, half a minute at most.
until_true() {
    what=$1
    shift
    tries=0
    until "$@"; do
        tries=$((tries + 1))
        [ "$tries" -lt 300 ] || fail "waited in vain: $what"
        sleep 0.1
    done
}
is_active() { [ "$(systemctl is-active "$1")" = active ]; }
logged() { journalctl --no-pager --output=cat --unit="$relay" | grep -qF -- "$1"; }
# Gives the relay at an address a message and prints the id under which it is kept.
submit() {
    python3 - "$1" "$2" <<'END'
import smtplib, sys
session = smtplib.SMTP(sys.argv[1], 2525, timeout=30)
session.ehlo("units.example")
session.mail("a@units.example")
session.rcpt(sys.argv[2] + "@far.example")
code, reply = session.data("Subject: units\r\n\r\nWho's there?\r\n")
print(reply.decode().rsplit(" ", 1)[1] if code == 250 else "")
END
}
greets() { python3 -c 'import smtplib; print(smtplib.SMTP().connect("127.0.0.1", 2525))' | grep -qF "$1"; }
queued() { runuser --user elsinore -- elsinore queue list | grep -qF "$1"; }

dpkg --install --force-depends /elsinore.deb >/dev/null
for unit in elsinore-relay.service elsinore-relay.socket elsinore-policyd.service elsinore-policyd.socket; do
    [ "$(systemctl is-enabled $unit)" = disabled ] || fail "$unit is enabled by the package"
    is_active $unit && fail "$unit was started by the package"
done
id elsinore >/dev/null || fail "the package made no user"

# Type=notify: start returns when the relay has said READY=1.
systemctl start $relay || fail "does not start"
is_active $relay || fail "has not said that it is ready"
[ -n "$(shows $relay StatusText)" ] || fail "says no status"
first=$(submit 127.0.0.1 first)
[ -n "$first" ] || fail "takes no mail"
queued "$first" || fail "the user elsinore does not see the queue"
say "started, took a message: $(shows $relay StatusText)"

# What the service may do is asked by a program in its place, under the same settings.
mkdir -m 777 /var/lib/open /home/open
echo secret >/home/open/file
echo secret >/tmp/file
cat >/probe.sh <<'END'
bad=0
may() { "$@" >/dev/null 2>&1 || { echo "probe: may not: $*"; bad=1; }; }
may_not() { if "$@" >/dev/null 2>&1; then echo "probe: may: $*"; bad=1; fi; }
may cat /etc/elsinore/elsinore.toml
may touch /var/lib/elsinore/probe
may rm /var/lib/elsinore/probe
may touch /run/elsinore/probe
may python3 -c 'import socket; socket.create_server(("127.0.0.1", 25))'
may_not touch /etc/elsinore/elsinore.toml
for folder in / /etc /usr/bin /var/lib /var/log /var/spool /run /root /home /srv /opt; do
    may_not touch "$folder/probe"
done
may_not touch /var/lib/open/probe
may_not ls /root
may_not cat /home/open/file
may_not cat /tmp/file
may touch /tmp/probe
may_not cat /etc/shadow
may_not test -e /dev/kmsg
may_not unshare --user true
may_not unshare --net true
may_not mount -t tmpfs tmpfs /tmp
may_not ip link
may_not python3 -c 'import socket; socket.socket(socket.AF_PACKET, socket.SOCK_RAW)'
may_not python3 -c 'import ctypes, mmap; mmap.mmap(-1, 4096, prot=mmap.PROT_WRITE | mmap.PROT_EXEC)'
may_not python3 -c 'import os; os.kill(1, 0)'
may_not hostname units.example
exit $bad
END
sed -e 's,^ExecStart=.*,ExecStart=/bin/sh /probe.sh,' -e 's,^Type=.*,Type=oneshot,' \
    -e '/^Restart/d' -e '/^WatchdogSec/d' -e '/^RuntimeDirectory=/aRuntimeDirectoryPreserve=yes' \
    /usr/lib/systemd/system/$relay >/etc/systemd/system/elsinore-probe.service
systemctl daemon-reload
systemctl start elsinore-probe.service || {
    journalctl --no-pager --output=cat --unit=elsinore-probe.service
    fail "the sandbox is not as it should be"
}
[ "$(stat -c '%U %a' /var/lib/elsinore)" = "elsinore 700" ] || fail "the state folder is open"
main=$(shows $relay MainPID)
grep -q '^CapEff:.*0000000000000400$' "/proc/$main/status" || fail "has other capabilities than for ports"
grep -q '^Seccomp:.*2$' "/proc/$main/status" || fail "has no filter of system calls"
say "may do what it needs, and nothing else that was tried"

# A good configuration is taken without a new process, a bad one is refused.
echo 'name = "renamed.example"' >>/etc/elsinore/elsinore.toml
systemctl reload $relay || fail "does not reload"
until_true "the new configuration" greets renamed.example
cp /etc/elsinore/elsinore.toml /good.toml
echo 'nonsense = 1' >>/etc/elsinore/elsinore.toml
systemctl reload $relay || true
until_true "the refusal of a bad configuration" logged nonsense
until_true "readiness after a refused configuration" is_active $relay
refused_is_shown() { shows $relay StatusText | grep -q 'was refused'; }
until_true "the refusal in its status" refused_is_shown
[ "$(shows $relay MainPID)" = "$main" ] || fail "a reload made a new process"
cp /good.toml /etc/elsinore/elsinore.toml
systemctl reload $relay || fail "does not reload again"
refusal_is_over() { ! refused_is_shown; }
until_true "the end of the refusal in its status" refusal_is_over
say "took a new configuration, refused a bad one"

# Killed, it comes back, and has what it had.
kill -KILL "$main"
comes_back() { is_active $relay && [ "$(shows $relay MainPID)" != "$main" ]; }
until_true "a new process after SIGKILL" comes_back
queued "$first" || fail "the message is gone after SIGKILL"
say "came back after SIGKILL with its queue"

# The watchdog is fed, and a relay that hangs is replaced.
mkdir -p /etc/systemd/system/$relay.d
printf '[Service]\nWatchdogSec=2\nLimitCORE=0\n' >/etc/systemd/system/$relay.d/watchdog.conf
systemctl daemon-reload
systemctl restart $relay || fail "does not restart"
fed=$(shows $relay WatchdogTimestampMonotonic)
is_fed() { [ "$(shows $relay WatchdogTimestampMonotonic)" != "$fed" ]; }
until_true "food for the watchdog" is_fed
main=$(shows $relay MainPID)
kill -STOP "$main"
until_true "a new process in place of one that hangs" comes_back
journalctl --no-pager --unit=$relay | grep -qi 'watchdog timeout' || fail "the watchdog saw nothing"
rm -r /etc/systemd/system/$relay.d
systemctl daemon-reload
say "the watchdog is fed, and replaced a relay that hung"

# Stopped in time; then started by a client.
systemctl stop $relay
[ "$(shows $relay Result)" = success ] || fail "did not stop well: $(shows $relay Result)"
[ "$(shows $relay ExecMainStatus)" = 0 ] || fail "ended with $(shows $relay ExecMainStatus)"
systemctl start elsinore-relay.socket || fail "the sockets cannot be opened"
is_active $relay && fail "runs before anybody came"
second=$(submit 127.0.0.1 second)
[ -n "$second" ] || fail "a client of the socket was not served"
is_active $relay || fail "was not started by its socket"
third=$(submit ::1 third)
[ -n "$third" ] || fail "does not serve the second socket"
for id in $first $second $third; do
    queued "$id" || fail "$id is not in the queue"
done
systemctl stop elsinore-relay.socket $relay
[ "$(shows $relay Result)" = success ] || fail "did not stop well: $(shows $relay Result)"
say "stopped in time, and started by a client"

# A configuration that is wrong is not tried again and again.
echo 'nonsense = 1' >>/etc/elsinore/elsinore.toml
systemctl start $relay && fail "started with a bad configuration"
[ "$(shows $relay ExecMainStatus)" = 78 ] || fail "a bad configuration is $(shows $relay ExecMainStatus)"
[ "$(systemctl is-active $relay)" = failed ] || fail "tries a bad configuration again"
cp /good.toml /etc/elsinore/elsinore.toml
systemctl reset-failed
say "a bad configuration is not tried again"

systemctl start elsinore-policyd.service || fail "policyd does not start"
systemctl stop elsinore-policyd.service
[ "$(shows elsinore-policyd.service Result)" = success ] || fail "policyd did not stop well"
say "policyd started and stopped"

dpkg --purge elsinore >/dev/null
[ -d /var/lib/elsinore/queue ] || fail "the queue went with the package"
say "the queue outlives the package"
