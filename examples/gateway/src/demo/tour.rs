//! The commands to try, and how the demo tries them itself.

use std::{io, net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// One command: a request, and what the gateway answers.
pub(super) struct Stop {
    pub(super) what: &'static str,
    method: &'static str,
    target: &'static str,
    body: Option<&'static str>,
    /// The API key that is shown.
    key: Key,
    pub(super) status: u16,
    /// What the answer holds.
    pub(super) holds: &'static str,
}

/// Which key a request shows.
#[derive(Clone, Copy)]
enum Key {
    None,
    Wrong,
    Partner,
}

impl Key {
    fn text(self, partner: &str) -> Option<&str> {
        match self {
            Self::None => None,
            Self::Wrong => Some("guessed"),
            Self::Partner => Some(partner),
        }
    }
}

pub(super) const TOUR: &[Stop] = &[
    Stop {
        what: "a prefix, rewritten: the order service sees /internal/orders/1001",
        method: "GET",
        target: "/v1/orders/1001",
        body: None,
        key: Key::None,
        status: 200,
        holds: "\"path\": \"/internal/orders/1001\"",
    },
    Stop {
        what: "a method: payments take POST alone",
        method: "POST",
        target: "/v1/payments",
        body: Some("{\"order\": 1001, \"amount\": \"9.90\"}"),
        key: Key::None,
        status: 200,
        holds: "\"state\": \"accepted\"",
    },
    Stop {
        what: "any other method is answered by the gateway: 405",
        method: "DELETE",
        target: "/v1/payments",
        body: None,
        key: Key::None,
        status: 405,
        holds: "\"status\":405",
    },
    Stop {
        what: "a pattern with a parameter, which the new path takes along",
        method: "GET",
        target: "/v1/users/7/avatar?size=64",
        body: None,
        key: Key::None,
        status: 200,
        holds: "\"path\": \"/internal/avatars/7?size=64\"",
    },
    Stop {
        what: "a regex and a redirect",
        method: "GET",
        target: "/legacy/1001",
        body: None,
        key: Key::None,
        status: 308,
        holds: "/v1/orders/1001",
    },
    Stop {
        what: "a service that is down: 502",
        method: "GET",
        target: "/v1/reports",
        body: None,
        key: Key::None,
        status: 502,
        holds: "\"status\":502",
    },
    Stop {
        what: "a route for partners: without a key it is 401",
        method: "GET",
        target: "/v1/partner/orders/1001",
        body: None,
        key: Key::None,
        status: 401,
        holds: "\"status\":401",
    },
    Stop {
        what: "with one that is none of ours, too",
        method: "GET",
        target: "/v1/partner/orders/1001",
        body: None,
        key: Key::Wrong,
        status: 401,
        holds: "\"status\":401",
    },
    Stop {
        what: "with the partner's key, made for this demo: 200, and the log names acme and its key",
        method: "GET",
        target: "/v1/partner/orders/1001",
        body: None,
        key: Key::Partner,
        status: 200,
        holds: "\"path\": \"/internal/orders/1001\"",
    },
    Stop {
        what: "a limit of one an hour: the first request passes",
        method: "GET",
        target: "/v1/samples/1001",
        body: None,
        key: Key::None,
        status: 200,
        holds: "\"path\": \"/internal/orders/1001\"",
    },
    Stop {
        what: "the second one is 429, with the time to wait",
        method: "GET",
        target: "/v1/samples/1001",
        body: None,
        key: Key::None,
        status: 429,
        holds: "retry-after: ",
    },
    Stop {
        what: "an address that is not let in: 403",
        method: "GET",
        target: "/admin",
        body: None,
        key: Key::None,
        status: 403,
        holds: "\"status\":403",
    },
    Stop {
        what: "no route: 404",
        method: "GET",
        target: "/elsewhere",
        body: None,
        key: Key::None,
        status: 404,
        holds: "\"status\":404",
    },
];

/// A service that fails every fourth time; no command of the tour, for its answer is not always the same.
pub(super) const STOCK: Stop = Stop {
    what: "a service that fails now and then",
    method: "GET",
    target: "/v1/stock/1001",
    body: None,
    key: Key::None,
    status: 200,
    holds: "\"left\"",
};

/// How long one answer may take.
const PATIENCE: Duration = Duration::from_secs(10);

impl Stop {
    /// The command to paste.
    pub(super) fn command(&self, gateway: SocketAddr, partner: &str) -> String {
        let method = if self.method == "GET" { String::new() } else { format!("-X {} ", self.method) };
        let body = self.body.map(|body| format!("-d '{body}' ")).unwrap_or_default();
        let key = self.key.text(partner).map(|key| format!("-H 'x-api-key: {key}' ")).unwrap_or_default();
        // A shell takes a question mark for a pattern.
        let quote = if self.target.contains('?') { "'" } else { "" };
        format!("curl -i {method}{key}{body}{quote}http://{gateway}{}{quote}", self.target)
    }

    /// Sends it, and gives the whole response as text.
    pub(super) async fn send(&self, gateway: SocketAddr, partner: &str) -> io::Result<String> {
        let body = self.body.unwrap_or_default();
        let length = match self.body {
            Some(body) => format!("content-length: {}\r\n", body.len()),
            None => String::new(),
        };
        let key = self.key.text(partner).map(|key| format!("x-api-key: {key}\r\n")).unwrap_or_default();
        let request = format!(
            "{} {} HTTP/1.1\r\nhost: {gateway}\r\nconnection: close\r\n{key}{length}\r\n{body}",
            self.method, self.target,
        );
        let exchange = async {
            let mut stream = TcpStream::connect(gateway).await?;
            stream.write_all(request.as_bytes()).await?;
            let mut response = String::new();
            stream.read_to_string(&mut response).await?;
            Ok(response)
        };
        tokio::time::timeout(PATIENCE, exchange).await?
    }

    /// Whether the response is the one that was promised.
    pub(super) fn accepts(&self, response: &str) -> bool {
        response.starts_with(&format!("HTTP/1.1 {} ", self.status)) && response.contains(self.holds)
    }
}
