//! The audit log over stacks of layers, and its verifier over logs that somebody has changed.
#![cfg(feature = "audit")]

mod edits;
mod failing;
mod files;
mod records;

use std::{
    convert::Infallible,
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

use gatewright_core::{PolicyLayer, PolicyService, Rejection, policy_fn};
use gatewright_trace::{
    TraceLayer, TraceService,
    audit::{AuditLog, AuditLogBuilder, AuditSigner, AuditVerdict, AuditVerifier},
};
use http::{Request, Response, StatusCode, request::Parts};
use http_body_util::{BodyExt, Full};
use tower::{Service, ServiceBuilder, ServiceExt, service_fn, util::BoxCloneService};

type Body = Full<bytes::Bytes>;

/// A folder that is removed when the test ends.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("gatewright-audit-{}-{number}", std::process::id()));
        fs::create_dir_all(&folder).expect("makes the folder");
        Self(folder)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn log(&self) -> PathBuf {
        self.path("audit.log")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A log that says nothing on stderr and does not wait for the disk.
fn quiet() -> AuditLogBuilder {
    AuditLog::builder().sync(false).on_trouble(|_| {})
}

fn signer() -> AuditSigner {
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).expect("a key");
    AuditSigner::from_pem(key.serialize_pem().as_bytes()).expect("is one of ours")
}

/// A service behind the log, which refuses `/closed` and answers all else.
fn stack(log: &AuditLog) -> BoxCloneService<Request<Body>, String, Infallible> {
    let door = policy_fn("door", |request: &mut Parts| match request.uri.path() {
        "/closed" => Err(Rejection::new(StatusCode::FORBIDDEN, "door", "not_open")),
        _ => Ok(()),
    });
    let service = ServiceBuilder::new()
        .layer(TraceLayer::new().observer(log.clone()))
        .layer(PolicyLayer::new(log.policy()))
        .layer(PolicyLayer::new(door))
        .service(service_fn(async |_: Request<Body>| Ok::<_, Infallible>(Response::new(Body::from("open")))));
    let _: &TraceService<PolicyService<_, _>> = &service;
    let service = service.then(async |response: Result<Response<_>, Infallible>| {
        let (head, body): (http::response::Parts, _) = response?.into_parts();
        let _ = BodyExt::collect(body).await;
        Ok(head.status.as_u16().to_string())
    });
    BoxCloneService::new(service)
}

/// Sends a request, and gives the status.
async fn get(stack: &BoxCloneService<Request<Body>, String, Infallible>, path: &str) -> String {
    let request = Request::get(path).body(Body::default()).expect("a request");
    let mut stack = stack.clone();
    let answered = stack.ready().await.expect("is ready").call(request).await;
    answered.expect("never fails")
}

fn lines(file: &Path) -> Vec<serde_json::Value> {
    let text = fs::read_to_string(file).expect("the log");
    text.lines().map(|line| serde_json::from_str(line).expect("a JSON object")).collect()
}

fn verify(files: &[&Path]) -> AuditVerdict {
    AuditVerifier::new().verify(files).expect("can be read")
}

/// What was found, as text; it must hold `text`.
#[track_caller]
fn assert_found(verdict: &AuditVerdict, text: &str) {
    assert!(!verdict.is_whole(), "nothing was found\n{verdict}");
    assert!(verdict.findings()[0].to_string().contains(text), "no {text:?} in\n{verdict}");
}

#[track_caller]
fn assert_whole(verdict: &AuditVerdict) {
    assert!(verdict.is_whole(), "{verdict}");
}
