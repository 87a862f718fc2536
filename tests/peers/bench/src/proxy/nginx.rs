//! nginx. Bodies stream in both directions, as they do in the other proxies, and are not spooled to files.

use std::{fmt::Write, process::Command};

use nix::unistd::geteuid;

use super::{Job, Listen, prefixes};
use crate::{Result, tools::Tools};

pub(super) fn command(job: &Job<'_>, tools: &Tools) -> Result<Command> {
    let file = job.write("nginx.conf", &configuration(job))?;
    let mut command = Command::new(tools.program("nginx")?);
    command.arg("-e").arg(job.folder.join("error.log")).arg("-p").arg(&job.folder).arg("-c").arg(file);
    Ok(command)
}

fn configuration(job: &Job<'_>) -> String {
    // Workers of a master that is root would be `nobody`, who may not write into our folder.
    let user = if geteuid().is_root() { "user root;" } else { "" };
    let (workers, port, origin) = (job.work.workers, job.port, job.origin);
    let listen = match job.work.listen {
        Listen::Http1 => "",
        Listen::Http2 => " http2",
        Listen::Tls => " ssl",
    };
    // Each worker has its own queue, as in the gateway.
    let reuseport = if workers > 1 { " reuseport" } else { "" };
    let tls = match job.work.listen {
        Listen::Http1 | Listen::Http2 => String::new(),
        Listen::Tls => format!(
            "ssl_certificate \"{}\"; ssl_certificate_key \"{}\"; ssl_protocols TLSv1.2 TLSv1.3; \
             ssl_session_cache shared:tls:10m;",
            job.certificate.chain().display(),
            job.certificate.key().display()
        ),
    };
    let locations = locations(job);
    format!(
        "daemon off; {user} worker_processes {workers}; worker_rlimit_nofile 20000; pid nginx.pid; error_log error.log;
events {{ worker_connections 9000; }}
http {{
  access_log off; server_tokens off; keepalive_requests 1000000000; keepalive_timeout 300s; keepalive_time 1d;
  client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
  client_max_body_size 0; proxy_request_buffering off; proxy_max_temp_file_size 0;
  proxy_http_version 1.1;
  proxy_set_header Connection \"\"; proxy_set_header Host $host;
  proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
  upstream origin {{ server {origin}; keepalive 256; keepalive_requests 1000000000; keepalive_time 1d; }}
  server {{
    listen 127.0.0.1:{port}{listen}{reuseport};
    {tls}
{locations}  }}
}}
"
    )
}

fn locations(job: &Job<'_>) -> String {
    match job.work.routes {
        None if job.work.grpc => "    location / { grpc_pass grpc://origin; }\n".to_owned(),
        None => "    location / { proxy_pass http://origin; }\n".to_owned(),
        Some(count) => {
            let mut text = "    location / { return 404; }\n".to_owned();
            for prefix in prefixes(count) {
                let _ = writeln!(text, "    location {prefix}/ {{ proxy_pass http://origin; }}");
            }
            text
        }
    }
}
