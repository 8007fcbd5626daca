//! Which keys a running relay takes only when it starts: what is opened, bound or learnt once. All other
//! keys it takes on SIGHUP.

use super::Settings;
use super::relay::StorePlace;
use super::shown::{Lines, Row, rows};
use crate::cli::GlobalArguments;

/// Whether the relay reads `key` of `section` when it starts, and not on SIGHUP.
pub(crate) fn is_read_at_start(section: &str, key: &str) -> bool {
    match section {
        // The resolver with its cache and what it learnt, and the looks at our own DNS.
        "dns" | "doctor" | "lab" => true,
        "" => key == "state_dir",
        "relay" => matches!(key, "socket" | "socket_mode" | "store") || key.starts_with("postgres"),
        "relay.admin" => key == "listen",
        _ => false,
    }
}

/// The keys whose new value waits for the next start, of a relay that began with `began`.
pub(crate) fn waiting(began: &Settings, now: &Settings) -> Vec<String> {
    let rows = |settings| rows(settings, &Lines::default(), &GlobalArguments::default());
    let (was, is): (Vec<Row>, Vec<Row>) = (rows(began), rows(now));
    let mut waiting: Vec<String> = (was.iter().zip(&is))
        .filter(|(was, is)| is_read_at_start(is.section, is.key) && was.value != is.value)
        .map(|(_, is)| is.name())
        .collect();
    // What is hidden looks the same.
    if let (Some(StorePlace::Postgres(was)), Some(StorePlace::Postgres(is))) =
        (&began.relay.store, &now.relay.store)
        && was.connection != is.connection
    {
        waiting.push("relay.postgres".to_owned());
    }
    waiting
}

#[cfg(test)]
mod tests {
    use super::waiting;
    use crate::cli::GlobalArguments;
    use crate::config::Settings;

    fn settings(text: &str) -> Settings {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), format!("state_dir = \"/state\"\n{text}")).expect("written");
        let global = GlobalArguments {
            config: Some(file.path().to_path_buf()),
            ..GlobalArguments::default()
        };
        Settings::resolve(&global).expect("good")
    }

    #[test]
    fn what_waits_for_the_next_start() {
        for (was, is, waits) in [
            ("", "", &[][..]),
            (
                "",
                "[relay]\nname = \"a.example\"\nlisten = [\"127.0.0.1:1\"]\n",
                &[],
            ),
            (
                "",
                "[relay.limits]\nerrors = 5\n[tls]\nlegacy = true\n",
                &[],
            ),
            ("", "[relay.tlsrpt]\nhours = 3\n", &[]),
            (
                "[dns]\ntimeout = 3\n[relay]\nsocket = \"/a\"\n",
                "[dns]\nsha1 = false\n[relay.admin]\nlisten = \"127.0.0.1:1\"\n",
                &[
                    "dns.timeout",
                    "dns.sha1",
                    "relay.socket",
                    "relay.admin.listen",
                ],
            ),
            (
                "",
                "[[destination]]\ndomain = \"a.example\"\nreason = \"x\"\nnta = true\n",
                &["dns.nta"],
            ),
            ("", "[relay]\nstore = \"/q\"\n", &["relay.store"]),
            (
                "[relay]\npostgres = \"host=db password=one\"\n",
                "[relay]\npostgres = \"host=db password=two\"\n",
                &["relay.postgres"],
            ),
            (
                "[relay]\npostgres = \"host=db password=one\"\n",
                "[relay]\npostgres = \"host=db password=two\"\npostgres_schema = \"mail\"\n",
                &["relay.postgres_schema", "relay.postgres"],
            ),
            (
                "[relay]\npostgres = \"host=db\"\n",
                "[relay]\n",
                &[
                    "relay.store",
                    "relay.postgres",
                    "relay.postgres_schema",
                    "relay.postgres_pool",
                    "relay.postgres_ca",
                ],
            ),
        ] {
            assert_eq!(
                waiting(&settings(was), &settings(is)),
                waits,
                "{was:?} {is:?}"
            );
        }
    }
}
