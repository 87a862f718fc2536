//! Servers that stand before a service of another make, and compress its answers themselves.

use std::net::SocketAddr;

use harness::peer;
use tokio::process::Command;

use crate::server::Server;

pub(super) async fn nginx(inner: SocketAddr) -> Server {
    Server::start(1, |folder, addresses| {
        let config = format!(
            "daemon off; master_process off; pid nginx.pid; error_log error.log;
            events {{ worker_connections 512; }}
            http {{
              access_log off; gzip on; gzip_min_length 0; gzip_http_version 1.0; gzip_proxied any;
              gzip_types text/plain;
              client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;
              uwsgi_temp_path uwsgi; scgi_temp_path scgi;
              server {{
                listen {address}; keepalive_requests 7; keepalive_timeout 500ms;
                location / {{ gzip off; proxy_http_version 1.1; proxy_set_header Connection \"\"; proxy_pass http://{inner}; }}
                location /many/ {{
                  gzip off; proxy_http_version 1.1; proxy_set_header Connection \"\";
                  proxy_buffering off; proxy_pass http://{inner};
                }}
                location /gzip/ {{ proxy_pass http://{inner}/sized/; proxy_set_header Accept-Encoding \"\"; }}
                location /gzip-stream/ {{ proxy_http_version 1.1; proxy_pass http://{inner}/many/; proxy_set_header Accept-Encoding \"\"; }}
              }}
            }}",
            address = addresses[0]
        );
        let file = folder.join("nginx.conf");
        std::fs::write(&file, config).unwrap();
        let mut command = Command::new(peer::program("nginx"));
        command.args(["-e", "error.log", "-p"]).arg(folder).arg("-c").arg(file);
        command
    })
    .await
}

pub(super) async fn apache(inner: SocketAddr) -> Server {
    Server::start(1, |folder, addresses| {
        let modules = "/usr/lib/apache2/modules";
        let load: String = ["mpm_event", "authz_core", "filter", "deflate", "mime", "proxy", "proxy_http"]
            .map(|name| format!("LoadModule {name}_module {modules}/mod_{name}.so\n"))
            .concat();
        let config = format!(
            "{load}
            ServerRoot {folder}
            ServerName localhost
            Listen {address}
            PidFile apache.pid
            DefaultRuntimeDir {folder}
            ErrorLog error.log
            TypesConfig /dev/null
            MaxKeepAliveRequests 7
            KeepAliveTimeout 500ms
            <Location /gzip/>
              SetOutputFilter DEFLATE
            </Location>
            <Location /gzip-stream/>
              SetOutputFilter DEFLATE
            </Location>
            ProxyPass /gzip/ http://{inner}/sized/
            ProxyPass /gzip-stream/ http://{inner}/many/ flushpackets=on
            ProxyPass /many/ http://{inner}/many/ flushpackets=on
            ProxyPass / http://{inner}/\n",
            folder = folder.display(),
            address = addresses[0]
        );
        let file = folder.join("apache.conf");
        std::fs::write(&file, config).unwrap();
        let mut command = Command::new(peer::program("apache2"));
        command.arg("-DFOREGROUND").arg("-f").arg(file);
        command
    })
    .await
}

/// Two frontends: one that keeps connections for a while, one that closes each.
pub(super) async fn haproxy(inner: SocketAddr) -> Server {
    Server::start(2, |folder, addresses| {
        let [kept, closed] = addresses else { panic!("two addresses") };
        let config = format!(
            "defaults
  mode http
  timeout connect 5s
  timeout client 30s
  timeout server 30s
  timeout http-keep-alive 500ms
frontend kept
  bind {kept}
  use_backend packed if {{ path_beg /gzip }}
  default_backend plain
frontend closed
  bind {closed}
  option httpclose
  use_backend packed if {{ path_beg /gzip }}
  default_backend plain
backend plain
  server inner {inner}
backend packed
  compression algo gzip
  compression type text/plain
  http-request replace-path /gzip/(.*) /sized/\\1
  http-request replace-path /gzip-stream/(.*) /many/\\1
  server inner {inner}\n"
        );
        let file = folder.join("haproxy.cfg");
        std::fs::write(&file, config).unwrap();
        let mut command = Command::new(peer::program("haproxy"));
        command.args(["-db", "-f"]).arg(file);
        command
    })
    .await
}

/// It compresses by the first piece of a body: with pieces of one byte it would be by chance.
pub(super) async fn caddy(inner: SocketAddr) -> Server {
    Server::start(1, |folder, addresses| {
        let config = format!(
            "{{
  admin off
  auto_https off
  servers {{
    timeouts {{
      idle 500ms
    }}
  }}
}}
http://:{port} {{
  bind 127.0.0.1
  handle_path /gzip/* {{
    encode gzip
    rewrite * /sized{{uri}}
    reverse_proxy {inner}
  }}
  handle_path /gzip-stream/* {{
    encode gzip
    rewrite * /one{{uri}}
    reverse_proxy {inner}
  }}
  handle {{
    reverse_proxy {inner} {{
      flush_interval -1
    }}
  }}
}}
",
            port = addresses[0].port()
        );
        let file = folder.join("Caddyfile");
        std::fs::write(&file, config).unwrap();
        let mut command = Command::new(peer::program("caddy"));
        command.args(["run", "--adapter", "caddyfile", "--config"]).arg(file);
        command.env("HOME", folder).env("XDG_DATA_HOME", folder).env("XDG_CONFIG_HOME", folder);
        command
    })
    .await
}
