//! The audit log of a configuration, and over reloads.

use std::{fs, path::PathBuf};

use gatewright_config::{Config, Gateway};
use gatewright_core::Body;
use http::Request;
use serde_json::Value;
use tower::ServiceExt;

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("gatewright-config-{}-{name}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder");
        Self(folder)
    }

    fn config(&self, audit: &str, path: &str) -> Config {
        let file = self.0.join("audit.log");
        let text = format!(
            "access_log: off\naudit: {{file: {}{audit}}}\nroutes: [{{path: {path}, redirect: {{path: /there}}, allow_ips: [192.0.2.0/24]}}]\n",
            file.display()
        );
        Config::parse("gateway.yaml", text).expect("is right")
    }

    /// Those lines of the log that have this member.
    fn lines(&self, member: &str) -> Vec<Value> {
        let text = fs::read_to_string(self.0.join("audit.log")).expect("the log");
        let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("a JSON object"));
        lines.filter(|line| line.get(member).is_some()).collect()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

async fn status(gateway: &Gateway, path: &str) -> u16 {
    let request = Request::get(path).header("host", "x").body(Body::empty()).expect("a request");
    gateway.service().oneshot(request).await.expect("never fails").status().as_u16()
}

#[tokio::test]
async fn a_reload_keeps_the_log_and_records_say_which_configuration_decided() {
    let folder = Folder::new("audit-reload");
    let mut gateway = Gateway::assemble(&folder.config("", "/a")).expect("can be assembled");
    assert_eq!(status(&gateway, "/a").await, 403);
    assert_eq!(status(&gateway, "/none").await, 404);
    gateway.reload(&folder.config(", admissions: on, on_failure: go_on", "/b")).expect("can be reloaded");
    assert_eq!(status(&gateway, "/b").await, 403);
    let refused =
        gateway.reload(&folder.config(", chain: off", "/b")).expect_err("needs a restart").to_string();
    assert!(refused.contains("how the audit log is written cannot change"), "{refused}");
    assert_eq!(status(&gateway, "/b").await, 403);
    assert!(gateway.audit().expect("a log").close());

    let opened: Vec<_> = folder.lines("cause").iter().map(|line| line["cause"].clone()).collect();
    assert_eq!(opened, ["new"]);
    let configs: Vec<_> = folder.lines("event").into_iter().filter(|line| line["event"] == "config").collect();
    assert_eq!(configs.len(), 2);
    let short = |line: &Value| line["config"].as_str().expect("a hash")[..16].to_owned();
    let decided = folder.lines("decision");
    let seen: Vec<_> = decided
        .iter()
        .map(|line| {
            (line["policy"].as_str().expect("a policy"), line["decision"].as_str().expect("one"), short(line))
        })
        .collect();
    let (first, second) = (short(&configs[0]), short(&configs[1]));
    assert_ne!(first, second);
    assert_eq!(
        seen,
        [
            ("ip-filter", "refused", first.clone()),
            ("router", "refused", first),
            ("ip-filter", "refused", second.clone()),
            ("ip-filter", "refused", second)
        ]
    );
}

#[tokio::test]
async fn a_log_that_is_taken_out_ends_and_its_file_can_be_opened_again() {
    let folder = Folder::new("audit-off");
    let mut gateway = Gateway::assemble(&folder.config("", "/a")).expect("can be assembled");
    let off =
        Config::parse("gateway.yaml", "access_log: off\nroutes: [{path: /a, redirect: {path: /there}}]\n");
    assert!(gateway.reload(&off.expect("is right")).expect("can be reloaded").has_changes());
    assert!(gateway.audit().is_none());
    assert_eq!(status(&gateway, "/a").await, 302);
    assert_eq!(folder.lines("event").last().expect("a line")["event"], "close");
    gateway.reload(&folder.config("", "/a")).expect("can be reloaded");
    assert_eq!(status(&gateway, "/a").await, 403);
    assert!(gateway.audit().expect("a log").close());
    assert_eq!(folder.lines("decision").len(), 1);
}
