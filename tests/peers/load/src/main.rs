//! The load that wrk and h2load cannot make, and the one call before any load that shows whether the answer is right.
//!
//! Each command prints one JSON object.

mod call;
mod handshakes;
mod idle;
mod tls;

use std::{env, error::Error, time::Duration};

const USAGE: &str = "\
Usage: load call tls|h2|grpc ADDRESS [CA]
       load handshakes full|resumed ADDRESS SECONDS CONCURRENCY
       load idle ADDRESS COUNT [tls]";

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let told = match arguments.as_slice() {
        ["call", "tls", address, ca] => call::tls(address.parse()?, ca).await?,
        ["call", "h2", address] => call::h2(address).await?,
        ["call", "grpc", address] => call::grpc(address).await?,
        ["handshakes", kind @ ("full" | "resumed"), address, seconds, concurrency] => {
            let time = Duration::from_secs(seconds.parse()?);
            handshakes::run(address.parse()?, *kind == "resumed", time, concurrency.parse()?).await?
        }
        ["idle", address, count] => idle::run(address.parse()?, count.parse()?, false).await?,
        ["idle", address, count, "tls"] => idle::run(address.parse()?, count.parse()?, true).await?,
        _ => return Err(USAGE.into()),
    };
    println!("{told}");
    Ok(())
}
