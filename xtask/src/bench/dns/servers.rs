//! The name servers of the world: NSD for all that answer, one that never does, and some that
//! answer late.

use anyhow::{Context, Result, bail};
use std::fs::File;
use std::io::Write;
use std::net::{SocketAddr, UdpSocket};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

/// Root, top-level domains, and all the rest, each with a zone it must answer for.
const SERVERS: [(&str, &str, &str); 3] = [
    ("root", "198.18.0.1:53", "nsec"),
    ("top", "198.18.0.2:53", "nsec"),
    ("rest", "198.18.1.1:53", "d000000.nsec"),
];
/// Where the domains of the dead server are delegated to.
const DEAD: &str = "198.18.4.1:53";
/// Servers that answer late, and whose answers they give. There are many, because the kernel's
/// buffer of one socket holds a few hundred queries that come at once.
const SLOW: std::ops::RangeInclusive<u8> = 1..=128;
/// Threads that answer for them.
const SLOW_THREADS: usize = 4;
const BEHIND_SLOW: &str = "198.18.3.1:53";
/// How late.
pub(super) const LATENESS: Duration = Duration::from_secs(1);
/// How long a server may take to load its zones.
const PATIENCE: Duration = Duration::from_secs(120);

/// Puts the world's addresses on loopback.
///
/// # Errors
/// What `ip` said.
pub(super) fn add_addresses() -> Result<()> {
    let mut batch = String::from("link set lo up\n");
    let mut add = |address: String| batch.push_str(&format!("address add {address}/32 dev lo\n"));
    (1..=4).for_each(|last| add(format!("198.18.0.{last}")));
    for third in [1, 2] {
        (1..=64).for_each(|last| add(format!("198.18.{third}.{last}")));
    }
    add("198.18.3.1".to_owned());
    add("198.18.4.1".to_owned());
    SLOW.for_each(|last| add(format!("198.18.5.{last}")));
    let mut ip = Command::new("ip")
        .args(["-batch", "-"])
        .stdin(Stdio::piped())
        .spawn()?;
    ip.stdin
        .take()
        .context("no stdin")?
        .write_all(batch.as_bytes())?;
    let ended = ip.wait()?;
    if !ended.success() {
        bail!("ip -batch: {ended}");
    }
    Ok(())
}

/// The running servers. The namespace ends with the task, and they with it.
#[derive(Debug)]
pub(super) struct Servers {
    nsd: Vec<Child>,
    _dead: UdpSocket,
}

impl Servers {
    /// Starts all and waits until they answer.
    ///
    /// # Errors
    /// When one does not.
    pub(super) fn start(world: &Path) -> Result<Self> {
        let mut nsd = Vec::new();
        for (name, _, _) in SERVERS {
            let log = File::create(world.join(format!("nsd-{name}.log")))?;
            let child = Command::new("nsd")
                .args(["-d", "-c"])
                .arg(world.join(format!("nsd-{name}.conf")))
                .current_dir(world)
                .stdin(Stdio::null())
                .stdout(log.try_clone()?)
                .stderr(log)
                .spawn()
                .context("nsd")?;
            nsd.push(child);
        }
        // Nobody ever reads from it: what is sent there is neither answered nor refused.
        let dead = UdpSocket::bind(DEAD).context("the dead server")?;
        start_slow()?;
        for (name, address, zone) in SERVERS {
            wait_for(address, zone).with_context(|| format!("nsd {name}"))?;
        }
        Ok(Self { nsd, _dead: dead })
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        for child in &mut self.nsd {
            // It has nothing to save.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// A query that waits: when it is to be answered, through which server's socket, to whom.
struct Waiting {
    due: Instant,
    server: Arc<UdpSocket>,
    client: SocketAddr,
    query: Vec<u8>,
}

/// Starts the servers that give the answers of another, late.
fn start_slow() -> Result<()> {
    let mut answering = Vec::new();
    for _ in 0..SLOW_THREADS {
        let behind = UdpSocket::bind("198.18.3.1:0")?;
        behind.connect(BEHIND_SLOW)?;
        behind.set_read_timeout(Some(Duration::from_secs(1)))?;
        let (sender, receiver) = mpsc::channel();
        thread::spawn(move || answer_late(receiver, &behind));
        answering.push(sender);
    }
    for (last, sender) in SLOW.zip(answering.iter().cycle()) {
        let address = format!("198.18.5.{last}:53");
        let socket = UdpSocket::bind(&address).with_context(|| format!("slow {address}"))?;
        let socket = Arc::new(socket);
        let sender = sender.clone();
        thread::spawn(move || receive_slow(&socket, &sender));
    }
    Ok(())
}

fn receive_slow(socket: &Arc<UdpSocket>, sender: &mpsc::Sender<Waiting>) {
    let mut buffer = [0; 2_048];
    while let Ok((length, client)) = socket.recv_from(&mut buffer) {
        let waiting = Waiting {
            due: Instant::now() + LATENESS,
            server: Arc::clone(socket),
            client,
            query: buffer[..length].to_vec(),
        };
        if sender.send(waiting).is_err() {
            return;
        }
    }
}

fn answer_late(receiver: mpsc::Receiver<Waiting>, behind: &UdpSocket) {
    let mut buffer = [0; 2_048];
    for waiting in receiver {
        thread::sleep(waiting.due.saturating_duration_since(Instant::now()));
        // A datagram that is lost is asked for again by whoever misses it.
        if behind.send(&waiting.query).is_ok()
            && let Ok(length) = behind.recv(&mut buffer)
        {
            let _ = waiting.server.send_to(&buffer[..length], waiting.client);
        }
    }
}

fn wait_for(server: &str, zone: &str) -> Result<()> {
    let socket = UdpSocket::bind("0.0.0.0:0")?;
    socket.set_read_timeout(Some(Duration::from_millis(100)))?;
    socket.connect(server)?;
    let query = super::load::query(1, zone, 6);
    let begin = Instant::now();
    let mut buffer = [0; 512];
    while begin.elapsed() < PATIENCE {
        // Nobody listens yet: the error is what is being waited out.
        let _ = socket.send(&query);
        match socket.recv(&mut buffer) {
            // NOERROR.
            Ok(length) if length > 3 && buffer[3] & 15 == 0 => return Ok(()),
            _ => thread::sleep(Duration::from_millis(20)),
        }
    }
    bail!("no answer at {server} within {} s", PATIENCE.as_secs())
}
