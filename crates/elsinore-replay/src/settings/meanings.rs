//! Options that set nothing in this resolver: why they need not, or why they cannot.

/// What a `yes` or a `no` of an option means.
pub(super) enum Meaning {
    /// Both are fine: it does not change what a client gets to see.
    Neutral,
    /// This resolver always does as if it were this; the other is not supported.
    Always(&'static str),
    /// Whatever the value: a part of the server that is no resolver.
    Foreign(&'static str),
}

const MEANINGS: &[(&str, Meaning)] = &[
    // Logging, files, memory, threads, sockets, and how clients reach the server.
    ("verbosity", Meaning::Neutral),
    ("val-log-level", Meaning::Neutral),
    ("val-log-squelch", Meaning::Neutral),
    ("log-servfail", Meaning::Neutral),
    ("log-queries", Meaning::Neutral),
    ("log-replies", Meaning::Neutral),
    ("directory", Meaning::Neutral),
    ("num-threads", Meaning::Neutral),
    ("msg-cache-size", Meaning::Neutral),
    ("rrset-cache-size", Meaning::Neutral),
    ("key-cache-size", Meaning::Neutral),
    ("outgoing-range", Meaning::Neutral),
    ("interface", Meaning::Neutral),
    ("discard-timeout", Meaning::Neutral),
    ("wait-limit", Meaning::Neutral),
    ("log-local-actions", Meaning::Neutral),
    ("log-tag-queryreply", Meaning::Neutral),
    ("log-time-ascii", Meaning::Neutral),
    ("log-identity", Meaning::Neutral),
    ("log-destaddr", Meaning::Neutral),
    ("log-thread-id", Meaning::Neutral),
    ("statistics-interval", Meaning::Neutral),
    ("extended-statistics", Meaning::Neutral),
    ("statistics-cumulative", Meaning::Neutral),
    ("shm-enable", Meaning::Neutral),
    ("hide-identity", Meaning::Neutral),
    ("hide-version", Meaning::Neutral),
    ("hide-trustanchor", Meaning::Neutral),
    ("hide-http-user-agent", Meaning::Neutral),
    ("http-user-agent", Meaning::Neutral),
    ("do-daemonize", Meaning::Neutral),
    ("username", Meaning::Neutral),
    ("chroot", Meaning::Neutral),
    ("pidfile", Meaning::Neutral),
    ("logfile", Meaning::Neutral),
    ("use-syslog", Meaning::Neutral),
    ("use-systemd", Meaning::Neutral),
    ("msg-cache-slabs", Meaning::Neutral),
    ("rrset-cache-slabs", Meaning::Neutral),
    ("key-cache-slabs", Meaning::Neutral),
    ("infra-cache-slabs", Meaning::Neutral),
    ("infra-cache-numhosts", Meaning::Neutral),
    ("neg-cache-size", Meaning::Neutral),
    ("msg-buffer-size", Meaning::Neutral),
    ("num-queries-per-thread", Meaning::Neutral),
    ("jostle-timeout", Meaning::Neutral),
    ("delay-close", Meaning::Neutral),
    ("udp-connect", Meaning::Neutral),
    ("outgoing-port-permit", Meaning::Neutral),
    ("outgoing-port-avoid", Meaning::Neutral),
    ("outgoing-num-tcp", Meaning::Neutral),
    ("incoming-num-tcp", Meaning::Neutral),
    ("outgoing-interface", Meaning::Neutral),
    ("tcp-idle-timeout", Meaning::Neutral),
    ("tcp-reuse-timeout", Meaning::Neutral),
    ("tcp-auth-query-timeout", Meaning::Neutral),
    ("max-reuse-tcp-queries", Meaning::Neutral),
    ("so-rcvbuf", Meaning::Neutral),
    ("so-sndbuf", Meaning::Neutral),
    ("so-reuseport", Meaning::Neutral),
    ("ip-transparent", Meaning::Neutral),
    ("ip-freebind", Meaning::Neutral),
    ("ip-dscp", Meaning::Neutral),
    ("tcp-mss", Meaning::Neutral),
    ("outgoing-tcp-mss", Meaning::Neutral),
    ("port", Meaning::Neutral),
    ("interface-automatic", Meaning::Neutral),
    ("prefer-ip4", Meaning::Neutral),
    ("prefer-ip6", Meaning::Neutral),
    ("edns-buffer-size", Meaning::Neutral),
    ("max-udp-size", Meaning::Neutral),
    ("unwanted-reply-threshold", Meaning::Neutral),
    ("wait-limit-cookie", Meaning::Neutral),
    ("wait-limit-netblock", Meaning::Neutral),
    ("wait-limit-cookie-netblock", Meaning::Neutral),
    ("fast-server-num", Meaning::Neutral),
    ("fast-server-permil", Meaning::Neutral),
    ("low-rtt", Meaning::Neutral),
    ("low-rtt-pct", Meaning::Neutral),
    ("infra-keep-probing", Meaning::Neutral),
    ("iter-scrub-ns", Meaning::Neutral),
    ("iter-scrub-cname", Meaning::Neutral),
    ("max-global-quota", Meaning::Neutral),
    ("max-query-restarts", Meaning::Neutral),
    // Which order records come in; sections are compared as sets.
    ("rrset-roundrobin", Meaning::Neutral),
    // How many questions are asked ahead of need.
    ("target-fetch-policy", Meaning::Neutral),
    ("prefetch", Meaning::Neutral),
    ("prefetch-key", Meaning::Neutral),
    // SHA-1 and DSA are verified here for real.
    ("fake-sha1", Meaning::Neutral),
    ("fake-dsa", Meaning::Neutral),
    // Extended errors are always given.
    ("ede", Meaning::Neutral),
    ("ede-serve-expired", Meaning::Always("no")),
    // This resolver answers itself for no zone, so none has to be opened.
    ("unblock-lan-zones", Meaning::Neutral),
    ("insecure-lan-zones", Meaning::Always("no")),
    // Every address is open to a replay.
    ("do-not-query-localhost", Meaning::Neutral),
    // RFC 8145 and RFC 8509 tell others which anchors are in use.
    ("trust-anchor-signaling", Meaning::Always("no")),
    ("root-key-sentinel", Meaning::Always("no")),
    // Authority and additional records of a positive answer are not passed on.
    ("iter-scrub-promiscuous", Meaning::Neutral),
    ("harden-unknown-additional", Meaning::Neutral),
    ("harden-referral-path", Meaning::Always("no")),
    ("harden-short-bufsize", Meaning::Neutral),
    ("harden-large-queries", Meaning::Neutral),
    ("harden-glue", Meaning::Always("yes")),
    ("harden-dnssec-stripped", Meaning::Always("yes")),
    ("qname-minimisation-strict", Meaning::Always("no")),
    // Letter case is always varied; the scripted servers repeat it.
    ("use-caps-for-id", Meaning::Neutral),
    ("val-permissive-mode", Meaning::Always("no")),
    ("val-sig-skew-min", Meaning::Always("0")),
    ("val-sig-skew-max", Meaning::Always("0")),
    ("disable-edns-do", Meaning::Always("no")),
    ("dns-error-reporting", Meaning::Always("no")),
    ("harden-below-nxdomain", Meaning::Neutral),
    ("val-clean-additional", Meaning::Neutral),
    ("ignore-cd-flag", Meaning::Always("no")),
    ("disable-dnssec-lame-check", Meaning::Always("no")),
    ("serve-expired", Meaning::Always("no")),
    ("serve-original-ttl", Meaning::Always("no")),
    // Parts of the server that are no resolver.
    (
        "local-data",
        Meaning::Foreign("it answers from data of its own"),
    ),
    (
        "local-data-ptr",
        Meaning::Foreign("it answers from data of its own"),
    ),
    (
        "local-zone-tag",
        Meaning::Foreign("tags choose answers by client"),
    ),
    (
        "define-tag",
        Meaning::Foreign("tags choose answers by client"),
    ),
    (
        "access-control-tag",
        Meaning::Foreign("tags choose answers by client"),
    ),
    (
        "access-control-tag-action",
        Meaning::Foreign("tags choose answers by client"),
    ),
    (
        "access-control-tag-data",
        Meaning::Foreign("tags choose answers by client"),
    ),
    (
        "access-control-view",
        Meaning::Foreign("views choose answers by client"),
    ),
    ("view", Meaning::Foreign("views choose answers by client")),
    (
        "rpz",
        Meaning::Foreign("response policy zones rewrite answers"),
    ),
    ("auth-zone", Meaning::Foreign("it serves zones of its own")),
    ("response-ip", Meaning::Foreign("it rewrites answers")),
    ("response-ip-data", Meaning::Foreign("it rewrites answers")),
    ("response-ip-tag", Meaning::Foreign("it rewrites answers")),
    ("python", Meaning::Foreign("it runs a Python module")),
    ("python-script", Meaning::Foreign("it runs a Python module")),
    (
        "dynlib",
        Meaning::Foreign("it runs a module of machine code"),
    ),
    (
        "dynlib-file",
        Meaning::Foreign("it runs a module of machine code"),
    ),
    (
        "remote-control",
        Meaning::Foreign("it is about remote control"),
    ),
    (
        "dnscrypt",
        Meaning::Foreign("it is about encrypted clients"),
    ),
    (
        "cachedb",
        Meaning::Foreign("it keeps its cache in a database"),
    ),
    (
        "dnstap",
        Meaning::Foreign("it is about logging to a socket"),
    ),
    (
        "ratelimit",
        Meaning::Foreign("it bounds queries of clients"),
    ),
    (
        "ip-ratelimit",
        Meaning::Foreign("it bounds queries of clients"),
    ),
    (
        "ip-ratelimit-cookie",
        Meaning::Foreign("it bounds queries of clients"),
    ),
    ("answer-cookie", Meaning::Foreign("cookies of clients")),
    ("cookie-secret", Meaning::Foreign("cookies of clients")),
    ("deny-any", Meaning::Foreign("it shortens answers to ANY")),
    (
        "dns64-prefix",
        Meaning::Foreign("it rewrites answers (DNS64)"),
    ),
    (
        "dns64-synthall",
        Meaning::Foreign("it rewrites answers (DNS64)"),
    ),
    (
        "dns64-ignore-aaaa",
        Meaning::Foreign("it rewrites answers (DNS64)"),
    ),
    (
        "send-client-subnet",
        Meaning::Foreign("client subnets are not passed on"),
    ),
    (
        "client-subnet-zone",
        Meaning::Foreign("client subnets are not passed on"),
    ),
    (
        "client-subnet-always-forward",
        Meaning::Foreign("client subnets are not passed on"),
    ),
    (
        "max-client-subnet-ipv4",
        Meaning::Foreign("client subnets are not passed on"),
    ),
    (
        "max-client-subnet-ipv6",
        Meaning::Foreign("client subnets are not passed on"),
    ),
    ("nsid", Meaning::Foreign("the server's identity")),
    ("identity", Meaning::Foreign("the server's identity")),
    ("version", Meaning::Foreign("the server's identity")),
    (
        "edns-tcp-keepalive",
        Meaning::Foreign("connections of clients"),
    ),
    (
        "edns-tcp-keepalive-timeout",
        Meaning::Foreign("connections of clients"),
    ),
];

/// What the option means; `None` for one that is set elsewhere, or is not known at all.
pub(super) fn of(name: &str) -> Option<&'static Meaning> {
    let known = MEANINGS.iter().find(|(known, _)| *known == name);
    known.map(|(_, meaning)| meaning)
}
