//! When the files of a configuration have changed.

use std::time::Duration;

use gatewright::config::Files;

/// How often the files are looked at.
const INTERVAL: Duration = Duration::from_secs(1);

/// Waits until one of the files is no longer what was read, and all of them have come to rest: whoever writes a
/// certificate and then its key, or one file in two goes, is given the time between two looks to end.
pub(crate) async fn changed(files: &Files) {
    let mut seen = files.clone();
    loop {
        tokio::time::sleep(INTERVAL).await;
        let now = files.now();
        if now == seen && now != *files {
            return;
        }
        seen = now;
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, pin::pin};

    use gatewright::config::Config;
    use tokio::time::timeout;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn files_that_go_on_changing_are_waited_for() {
        let path = std::env::temp_dir().join(format!("gatewright-watch-{}.yaml", std::process::id()));
        let text = "routes: [{path_prefix: /, upstream: 'orders:8080'}]\n";
        fs::write(&path, text).expect("writes");
        let config = Config::load(&path).expect("is right");
        let mut changed = pin!(changed(config.files()));
        // From here on each wait holds one look.
        let unchanged = timeout(INTERVAL * 10 + INTERVAL / 2, changed.as_mut()).await;
        assert!(unchanged.is_err(), "nothing has changed");
        for length in 1..5 {
            fs::write(&path, &text[..length]).expect("writes");
            assert!(timeout(INTERVAL, changed.as_mut()).await.is_err(), "it still changes");
        }
        assert!(timeout(INTERVAL, changed.as_mut()).await.is_ok(), "it has come to rest");
        fs::remove_file(&path).expect("removes");
    }
}
