//! Envoy. It makes no request ids, since the others in the tables make none either; the gateway does.

use std::process::Command;

use serde_json::{Value, json};

use super::{Job, Listen};
use crate::{Result, tools::Tools};

pub(super) fn command(job: &Job<'_>, tools: &Tools) -> Result<Command> {
    // JSON is YAML.
    let file = job.write("envoy.yaml", &configuration(job).to_string())?;
    let mut command = Command::new(tools.program("envoy")?);
    command.arg("--concurrency").arg(job.work.workers.to_string());
    command.args(["--disable-hot-restart", "--log-level", "error", "--config-path"]).arg(file);
    Ok(command)
}

fn configuration(job: &Job<'_>) -> Value {
    let mut filter_chain = json!({ "filters": [{
        "name": "envoy.filters.network.http_connection_manager",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
            "stat_prefix": "clients",
            "codec_type": if job.work.listen == Listen::Http2 { "HTTP2" } else { "HTTP1" },
            "use_remote_address": true,
            "generate_request_id": false,
            "http_filters": [{
                "name": "envoy.filters.http.router",
                "typed_config": { "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router" },
            }],
            "route_config": { "virtual_hosts": [{
                "name": "all",
                "domains": ["*"],
                "routes": [{ "match": { "prefix": "/" }, "route": { "cluster": "origin" } }],
            }] },
        },
    }] });
    if job.work.listen == Listen::Tls {
        filter_chain["transport_socket"] = json!({
            "name": "envoy.transport_sockets.tls",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
                "common_tls_context": { "tls_certificates": [{
                    "certificate_chain": { "filename": job.certificate.chain() },
                    "private_key": { "filename": job.certificate.key() },
                }] },
            },
        });
    }
    let mut cluster = json!({
        "name": "origin",
        "type": "STATIC",
        "connect_timeout": "5s",
        "load_assignment": { "cluster_name": "origin", "endpoints": [{ "lb_endpoints": [{
            "endpoint": { "address": address(&job.origin.ip().to_string(), job.origin.port()) },
        }] }] },
    });
    if job.work.grpc {
        cluster["typed_extension_protocol_options"] = json!({
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
                "explicit_http_config": { "http2_protocol_options": {} },
            },
        });
    }
    json!({ "static_resources": {
        "listeners": [{
            "name": "clients",
            "address": address("127.0.0.1", job.port),
            "filter_chains": [filter_chain],
        }],
        "clusters": [cluster],
    } })
}

fn address(host: &str, port: u16) -> Value {
    json!({ "socket_address": { "address": host, "port_value": port } })
}
