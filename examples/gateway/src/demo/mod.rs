//! `gatewright demo`: a gateway before services of its own, all in this process.

mod partner;
mod services;
mod tour;
mod traffic;

use std::{
    io,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    ops::RangeInclusive,
    path::Path,
    time::Duration,
};

use gatewright::{
    config::{Config, Gateway},
    server::{Listener, Server},
};

use crate::{admin, failure::Failure, serve, shutdown::Shutdown};
use partner::Partner;
use services::Service;
use tour::TOUR;

/// Where the demo listens when nobody asks for another port.
const PORT: u16 = 8080;

/// Where its status page is, likewise.
const ADMIN_PORT: u16 = 9901;

/// How many ports beyond that are tried.
const TRIES: u16 = 100;

/// What is under way in a demo is not worth a long wait.
const DRAIN: Duration = Duration::from_secs(2);

/// Starts the services and the gateway, and prints the commands to try; with `once` it tries them itself and
/// ends, and with `traffic` it goes on sending them.
pub(crate) fn demo(port: Option<u16>, once: bool, traffic: bool) -> Result<(), Failure> {
    let runtime = serve::runtime()?;
    let _entered = runtime.enter();
    let mut shutdown = Shutdown::listen()
        .map_err(|error| Failure::new(format!("error: signals cannot be waited for: {error}")))?;
    let services = Services {
        orders: start(services::orders())?,
        payments: start(services::payments())?,
        users: start(services::users())?,
        stock: start(services::stock())?,
        down: unused().map_err(|error| Failure::new(format!("error: no port is free: {error}")))?,
    };
    let partner = Partner::new()?;
    let address = listen(port)?;
    let admin_port = if once { 0 } else { first_free(ADMIN_PORT..=ADMIN_PORT + TRIES - 1).unwrap_or(0) };
    let file = services.file(address, local(admin_port), &partner, once || traffic);
    let config = Config::parse(Path::new("demo.yaml"), file.as_str())?;
    let gateway = Gateway::assemble(&config)?;
    let server = gateway.bind().map_err(|error| Failure::bind(&error, "choose another by --port"))?;
    let address = server.local_addrs().first().copied().unwrap_or(address);
    let admin = admin::start(&gateway)?;
    let mut serving = serve::start(server, &gateway.service())?;

    if port.is_none() && address.port() != PORT {
        println!("Port {PORT} is taken, so the next one that is free it is.");
    }
    println!("The gateway listens on http://{address}, as this file says:\n");
    for line in file.lines() {
        println!("    {line}");
    }
    if once {
        return runtime.block_on(try_out(address, &partner.key));
    }
    println!("\nTry:");
    for stop in TOUR {
        println!("\n  # {}\n  {}", stop.what, stop.command(address, &partner.key));
    }
    if let Some(url) = admin.url() {
        println!("\nThe status page is at {url}");
        println!("In a terminal: gatewright top {}", url.trim_start_matches("http://").trim_end_matches('/'));
    }
    if traffic {
        println!("\nSome requests are sent each second. Ctrl-C ends it.");
    } else {
        println!(
            "\nCtrl-C ends it. With --traffic it sends some requests each second itself. The lines below are the access log."
        );
    }
    let drained = runtime.block_on(async {
        let sent = async {
            match traffic {
                true => traffic::send(address, &partner.key).await,
                false => std::future::pending().await,
            }
        };
        let why = tokio::select! {
            why = serving.stopped(&mut shutdown) => why,
            never = sent => match never {},
        };
        admin.drain();
        serving.drain(&why, shutdown, DRAIN).await.map(drop)
    });
    admin.end();
    drained
}

/// Where the services of the demo listen.
struct Services {
    orders: SocketAddr,
    payments: SocketAddr,
    users: SocketAddr,
    /// Fails every fourth time.
    stock: SocketAddr,
    /// Where nobody listens.
    down: SocketAddr,
}

impl Services {
    fn file(&self, gateway: SocketAddr, admin: SocketAddr, partner: &Partner, quiet: bool) -> String {
        let Self { orders, payments, users, stock, down } = self;
        let keys_file = partner.keys_file();
        let keys_file = keys_file.display();
        let log = if quiet { "access_log: off\n" } else { "" };
        format!(
            "listen: {gateway}
admin: {admin}
workers: 1
{log}upstreams:
  orders: {{target: \"{orders}\"}}
auth:
  partner: {{api_key: {{header: x-api-key, keys_file: '{keys_file}'}}}}
defaults: {{auth: none}}
routes:
- path_prefix: /v1/orders
  upstream: orders
  rewrite: {{prefix: /internal/orders}}
- path_prefix: /v1/payments
  methods: [POST]
  upstream: {payments}
- path: \"/v1/users/{{id}}/avatar\"
  upstream: {users}
  rewrite: {{path: \"/internal/avatars/{{id}}\", response_headers: {{set: {{x-served-by: gatewright}}}}}}
- path_regex: '^/legacy/(\\d+)$'
  redirect: {{path: /v1/orders/$1, status: 308}}
- path_prefix: /v1/stock
  upstream: {stock}
- path_prefix: /v1/reports
  upstream: {down}
- path_prefix: /v1/partner/orders
  upstream: orders
  rewrite: {{prefix: /internal/orders}}
  auth: partner
- path_prefix: /v1/samples
  upstream: orders
  rewrite: {{prefix: /internal/orders}}
  limit: 1/h
- path_prefix: /admin
  upstream: orders
  deny_ips: [127.0.0.0/8]
"
        )
    }
}

/// Serves one of the services in the current runtime, on a port that is free.
fn start(service: Service) -> Result<SocketAddr, Failure> {
    let any = local(0);
    let server = Server::builder()
        .listener(Listener::new(any))
        .bind()
        .map_err(|error| Failure::bind(&error, "end what takes all ports"))?;
    let address = server.local_addrs().first().copied().unwrap_or(any);
    tokio::spawn(async move {
        if let Err(error) = server.serve(service).await {
            eprintln!("error: a service of the demo has ended: {error}");
        }
    });
    Ok(address)
}

/// A port at which nobody listens, since its listener is gone again.
fn unused() -> io::Result<SocketAddr> {
    TcpListener::bind(local(0))?.local_addr()
}

/// The address for the gateway: the one asked for, or the first that is free.
fn listen(port: Option<u16>) -> Result<SocketAddr, Failure> {
    let last = PORT + TRIES - 1;
    let port = match port.or_else(|| first_free(PORT..=last)) {
        Some(port) => port,
        None => {
            let message =
                format!("error: none of the ports from {PORT} to {last} is free\n  help: name one by --port");
            return Err(Failure::new(message));
        }
    };
    Ok(local(port))
}

fn local(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

fn first_free(mut ports: RangeInclusive<u16>) -> Option<u16> {
    ports.find(|port| TcpListener::bind(local(*port)).is_ok())
}

/// Sends every command, and shows what is answered.
async fn try_out(gateway: SocketAddr, key: &str) -> Result<(), Failure> {
    println!("\nWhat they answer:");
    let mut wrong = 0;
    for stop in TOUR {
        println!("\n  # {}\n  {}", stop.what, stop.command(gateway, key));
        let response = stop
            .send(gateway, key)
            .await
            .map_err(|error| Failure::new(format!("error: the gateway does not answer: {error}")))?;
        for line in response.lines().filter(|line| !line.trim().is_empty()) {
            println!("    {line}");
        }
        if !stop.accepts(&response) {
            wrong += 1;
            println!("  That is not what was expected: {} with {}", stop.status, stop.holds);
        }
    }
    match wrong {
        0 => Ok(()),
        wrong => Err(Failure::new(format!("error: {wrong} of {} answers were not as expected", TOUR.len()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_that_is_taken_is_passed_over() {
        let taken = TcpListener::bind(local(0)).expect("binds");
        let port = taken.local_addr().expect("an address").port();
        assert_eq!(first_free(port..=port), None);
        let free = first_free(port..=port.saturating_add(200)).expect("one of them is free");
        assert!(free > port);
    }
}
