//! Children and files that must not outlive the program, however it ends.
//!
//! Every child leads a process group of its own, so that what it starts itself ends together with it. A signal ends
//! them all; so does a panic or an error, by [`Cleanup`]'s drop.

use std::{
    fs, io,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, exit},
    sync::{Mutex, MutexGuard, PoisonError},
    thread,
};

use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    iterator::Signals,
};

struct Registry {
    groups: Vec<Pid>,
    folder: Option<PathBuf>,
}

static REGISTRY: Mutex<Registry> = Mutex::new(Registry { groups: Vec::new(), folder: None });

fn registry() -> MutexGuard<'static, Registry> {
    // What a panic left is what has to be cleaned up.
    REGISTRY.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Cleans up when it is dropped, and when a signal comes before that.
pub(crate) struct Cleanup {
    folder: PathBuf,
}

impl Cleanup {
    /// Makes the folder for the files of this run.
    pub(crate) fn prepare() -> io::Result<Self> {
        let folder = std::env::temp_dir().join(format!("gatewright-peers-{}", std::process::id()));
        fs::create_dir_all(&folder)?;
        registry().folder = Some(folder.clone());
        let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])?;
        thread::spawn(move || {
            if let Some(signal) = signals.forever().next() {
                // The lock is never given back: nothing can be started any more.
                let mut registry = registry();
                end_all(&mut registry);
                exit(128 + signal);
            }
        });
        Ok(Self { folder })
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }
}

impl Drop for Cleanup {
    fn drop(&mut self) {
        end_all(&mut registry());
    }
}

fn end_all(registry: &mut Registry) {
    for group in registry.groups.drain(..) {
        // It may have ended by itself.
        let _ = killpg(group, Signal::SIGKILL);
    }
    if let Some(folder) = registry.folder.take() {
        let _ = fs::remove_dir_all(folder);
    }
}

/// Starts a child that will not outlive us.
pub(crate) fn spawn(command: &mut Command) -> io::Result<(Child, Pid)> {
    let mut registry = registry();
    let child = command.process_group(0).spawn()?;
    let group = Pid::from_raw(child.id().cast_signed());
    registry.groups.push(group);
    Ok((child, group))
}

/// Ends what is left of a child's group, and reaps the child.
pub(crate) fn end(child: &mut Child, group: Pid) {
    let mut registry = registry();
    // No such group is left when all of it has ended.
    let _ = killpg(group, Signal::SIGKILL);
    let _ = child.wait();
    registry.groups.retain(|known| *known != group);
}
