//! The machine: its cores, and how steady it is.

use std::{
    fs,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    thread,
    time::Instant,
};

use serde_json::{Value, json};

use crate::Result;

/// Who runs where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cores {
    pub(crate) proxy: String,
    /// The clients and the origin.
    pub(crate) clients: String,
}

/// The layout of cores.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Layout {
    count: usize,
}

impl Layout {
    /// Of this machine.
    pub(crate) fn find() -> Result<Self> {
        let count = thread::available_parallelism().map_or(1, Into::into);
        if count < 2 {
            return Err(
                "two cores are needed: one for the proxy, one for its clients and the origin".to_owned()
            );
        }
        Ok(Self { count })
    }

    /// One core for the proxy, another for clients and origin.
    pub(crate) fn one(self) -> Cores {
        Cores { proxy: "0".to_owned(), clients: "1".to_owned() }
    }

    /// Two cores for the proxy, and two others for clients and origin where there are any.
    pub(crate) fn two(self) -> Cores {
        let clients = if self.shares() { "0,1" } else { "2,3" };
        Cores { proxy: "0,1".to_owned(), clients: clients.to_owned() }
    }

    /// Whether clients and origin take their share of the proxy's two cores.
    pub(crate) fn shares(self) -> bool {
        self.count < 4
    }
}

/// What the machine calls itself.
pub(crate) fn describe() -> Vec<(String, String)> {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model =
        cpu.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": ")).map(|(_, it)| it);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let cores = thread::available_parallelism().map_or(1, usize::from);
    vec![
        ("processor".to_owned(), model.unwrap_or("unknown").trim().to_owned()),
        ("cores".to_owned(), cores.to_string()),
        ("kernel".to_owned(), kernel.trim().to_owned()),
    ]
}

/// How many processes wanted a core in the last minute.
pub(crate) fn load_average() -> f64 {
    let told = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    told.split(' ').next().and_then(|first| first.parse().ok()).unwrap_or_default()
}

/// Two fixed loads, and how long each takes in milliseconds: what a core computes, and what the kernel does for a pair
/// of threads that send each other bytes over the loopback.
pub(crate) fn fixed_loads() -> Result<Value> {
    let began = Instant::now();
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for _ in 0..60_000_000_u32 {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
    }
    // The result is used, so that the loop is not left out.
    let arithmetic = began.elapsed().as_secs_f64() * 1e3 + if state == 0 { 1.0 } else { 0.0 };
    let began = Instant::now();
    ping_pong(10_000).map_err(|error| format!("the loopback: {error}"))?;
    Ok(json!({ "arithmetic": arithmetic, "loopback": began.elapsed().as_secs_f64() * 1e3 }))
}

fn ping_pong(times: usize) -> std::io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let mut near = TcpStream::connect(listener.local_addr()?)?;
    let (mut far, _) = listener.accept()?;
    near.set_nodelay(true)?;
    far.set_nodelay(true)?;
    let echo = thread::spawn(move || {
        let mut bytes = [0; 256];
        while far.read_exact(&mut bytes).is_ok() && far.write_all(&bytes).is_ok() {}
    });
    let mut bytes = [7; 256];
    for _ in 0..times {
        near.write_all(&bytes)?;
        near.read_exact(&mut bytes)?;
    }
    drop(near);
    // It ends with the connection.
    let _ = echo.join();
    Ok(())
}
