//! One apache2 in a temporary directory, with a reference server of its own.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use psc_refserver::Server;
use psc_testkit::proc::signal;
use psc_testkit::{Finished, Link, free_port, is_root, require, run, start_in, wait_until};
use tempfile::TempDir;

use crate::build::module;
use crate::proc;

pub const SOON: Duration = Duration::from_secs(20);
const MODULES: &str = "/usr/lib/apache2/modules";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mpm {
    Event,
    Worker,
    Prefork,
}

impl Mpm {
    pub const ALL: [Mpm; 3] = [Mpm::Event, Mpm::Worker, Mpm::Prefork];

    fn name(self) -> &'static str {
        match self {
            Mpm::Event => "event",
            Mpm::Worker => "worker",
            Mpm::Prefork => "prefork",
        }
    }

    /// Few processes, so that a test is quick; the default is three and five.
    fn sizes(self, processes: usize) -> String {
        match self {
            Mpm::Prefork => format!(
                "StartServers {processes}\nMinSpareServers {processes}\nMaxSpareServers {}\n",
                processes + 2
            ),
            Mpm::Event | Mpm::Worker => {
                let threads = processes * 4;
                format!(
                    "StartServers {processes}\nThreadsPerChild 4\nMinSpareThreads {threads}\n\
                     MaxSpareThreads {}\nMaxRequestWorkers {}\n",
                    threads + 8,
                    threads + 8
                )
            }
        }
    }
}

pub struct Apache {
    pub check: Server,
    pub port: u16,
    pub mpm: Mpm,
    pub processes: usize,
    /// Lines after the module's own; the last of a directive counts.
    pub extra: String,
    pub version: String,
    /// Of the children, where root starts httpd.
    pub user: String,
    /// A line of the module's own to leave out.
    pub without: Option<String>,
    pub environment: Vec<(String, String)>,
    /// False: no LoadModule and no directive of the module.
    pub with_module: bool,
    pub link: Link,
    states: usize,
    parent: Option<u32>,
    dir: Option<TempDir>,
}

impl Apache {
    pub fn new(mpm: Mpm) -> Apache {
        let dir = tempfile::Builder::new()
            .prefix("psc-apache-")
            .tempdir()
            .expect("a directory");
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).expect("permissions");
        fs::create_dir(dir.path().join("run")).expect("a directory");
        fs::create_dir(dir.path().join("keys")).expect("a directory");
        let check = start_in(&dir.path().join("keys"));
        Apache {
            check,
            port: free_port(),
            mpm,
            processes: 2,
            extra: String::new(),
            version: "6.0.20".into(),
            user: "www-data".into(),
            without: None,
            environment: Vec::new(),
            with_module: true,
            link: Link::Static,
            states: 0,
            parent: None,
            dir: Some(dir),
        }
    }

    fn dir(&self) -> &Path {
        self.dir.as_ref().expect("a directory").path()
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir().join(name)
    }

    pub fn config_file(&self) -> PathBuf {
        self.path("httpd.conf")
    }

    /// The state directory of the present configuration.
    pub fn state(&self) -> PathBuf {
        self.path(&format!("state-{}", self.states))
    }

    /// From the next (re)start on nothing is known of earlier checks.
    pub fn forget(&mut self) {
        self.states += 1;
    }

    pub fn config(&self) -> String {
        let dir = self.dir().display();
        let mut config = format!(
            "ServerName localhost\nListen 127.0.0.1:{port}\nPidFile {dir}/run/httpd.pid\nDefaultRuntimeDir {dir}/run\n\
             ErrorLog {dir}/error.log\nLogLevel warn\n\
             LoadModule mpm_{mpm}_module {MODULES}/mod_mpm_{mpm}.so\n\
             LoadModule authz_core_module {MODULES}/mod_authz_core.so\n\
             LoadModule status_module {MODULES}/mod_status.so\n\
             {sizes}ExtendedStatus Off\nDocumentRoot {dir}\n\
             <Location /server-status>\nSetHandler server-status\n</Location>\n",
            port = self.port,
            mpm = self.mpm.name(),
            sizes = self.mpm.sizes(self.processes),
        );
        if is_root() {
            config += &format!("User {}\nGroup www-data\n", self.user);
        }
        if self.with_module {
            config += &format!(
                "LoadModule psc_module {module}\nLogLevel psc:info\n\
                 <Location /psc>\nSetHandler psc-status\nPscStatus On\n</Location>\n\
                 <Location /server-status>\nPscStatus On\n</Location>\n\
                 PscSecurityUpdateCheckVersion {version}\n\
                 PscSecurityUpdateCheckUrl {url}\n\
                 PscSecurityUpdateCheckProxy none\n\
                 PscSecurityUpdateCheckResourcesDir {dir}/keys\n\
                 PscSecurityUpdateCheckCertificatePath {dir}/keys/ca.pem\n\
                 PscSecurityUpdateCheckStartDelay 0 0\n\
                 PscSecurityUpdateCheckStatePath {state}\n",
                module = module(self.link).display(),
                version = self.version,
                url = self.check.url(),
                state = self.state().display(),
            );
        }
        if let Some(line) = &self.without {
            config = config.replace(line, "");
        }
        config + &self.extra
    }

    /// Runs apache2 with the present configuration.
    pub fn apache2(&self, arguments: &[&str]) -> Finished {
        let mut command = self.command();
        run(command.args(arguments), Duration::from_secs(60))
    }

    /// apache2 with the present configuration, for the caller to start.
    pub fn command(&self) -> Command {
        fs::write(self.config_file(), self.config()).expect("a configuration");
        let mut command = Command::new(require("apache2"));
        command
            .arg("-d")
            .arg(self.dir())
            .arg("-f")
            .arg(self.config_file());
        for name in ["http_proxy", "https_proxy", "all_proxy", "no_proxy"] {
            command.env_remove(name).env_remove(name.to_uppercase());
        }
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    pub fn test_config(&self) -> Finished {
        self.apache2(&["-t"])
    }

    pub fn start(&mut self) {
        let mut started = self.apache2(&["-k", "start"]);
        if started.code != Some(0) && started.stderr.contains("AH00072") {
            self.port = free_port(); // somebody was quicker
            started = self.apache2(&["-k", "start"]);
        }
        assert_eq!(started.code, Some(0), "{}\n{}", started.stderr, self.log());
        let pid_file = self.path("run/httpd.pid");
        let mut pid = None;
        wait_until("the process id of apache2", SOON, || {
            pid = fs::read_to_string(&pid_file)
                .ok()
                .and_then(|text| text.trim().parse().ok());
            pid.is_some()
        });
        self.parent = pid;
        self.wait_for_children();
    }

    /// `graceful` or `restart`; returns when the new children are there and the old ones were told.
    pub fn again(&self, how: &str) {
        let before = self.children();
        let done = self.apache2(&["-k", how]);
        assert_eq!(done.code, Some(0), "{how}: {}", done.stderr);
        wait_until("a new generation of children", SOON, || {
            let now = self.children();
            now.iter().filter(|pid| !before.contains(pid)).count() >= self.processes
        });
    }

    /// The signal that `apache2 -k` would give, with the present configuration in place.
    pub fn signal_apache(&self, how: &str) {
        self.command(); // writes the configuration
        let number = match how {
            "graceful" => libc::SIGUSR1,
            "restart" => libc::SIGHUP,
            "graceful-stop" => libc::SIGWINCH,
            "stop" => libc::SIGTERM,
            other => panic!("apache2 -k {other}?"),
        };
        signal(self.parent(), number).expect("apache2 runs");
    }

    pub fn parent(&self) -> u32 {
        self.parent.expect("apache2 runs")
    }

    /// Those that serve clients.
    pub fn children(&self) -> Vec<u32> {
        let mut children = proc::children(self.parent());
        children.retain(|&pid| !proc::is_checker(pid));
        children
    }

    /// The process that checks, whether or not it has begun.
    pub fn checker(&self) -> u32 {
        let mut found = Vec::new();
        wait_until("one process that checks", SOON, || {
            found = proc::children(self.parent());
            found.retain(|&pid| proc::is_checker(pid));
            found.len() == 1
        });
        found[0]
    }

    fn wait_for_children(&self) {
        wait_until("the children of apache2", SOON, || {
            self.children().len() >= self.processes
        });
    }

    pub fn owners(&self) -> Vec<u32> {
        proc::lock_holders(&self.state().join("owner.lock"))
    }

    /// Waits until exactly one process holds the lock, and returns it.
    pub fn owner(&self) -> u32 {
        let mut owners = Vec::new();
        wait_until("one owner", SOON, || {
            owners = self.owners();
            owners.len() == 1
        });
        owners[0]
    }

    pub fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.path("error.log")).unwrap_or_default()).into_owned()
    }

    /// The lines that the module wrote.
    pub fn psc_lines(&self) -> Vec<String> {
        self.log()
            .lines()
            .filter(|line| line.contains(" [psc:"))
            .map(str::to_owned)
            .collect()
    }

    pub fn wait_for_line(&self, phrase: &str) -> String {
        self.wait_for_lines(phrase, 1).pop().expect("a line")
    }

    pub fn wait_for_lines(&self, phrase: &str, count: usize) -> Vec<String> {
        let limit = Instant::now() + SOON;
        loop {
            let lines: Vec<String> = self
                .psc_lines()
                .into_iter()
                .filter(|line| line.contains(phrase))
                .collect();
            if lines.len() >= count {
                return lines;
            }
            assert!(
                Instant::now() < limit,
                "{count} × {phrase:?} is not in the log:\n{}",
                self.log()
            );
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    pub fn wait_for_requests(&self, count: usize) {
        let seen = self.check.wait_for_requests(count, SOON).len();
        assert_eq!(seen, count, "requests; log:\n{}", self.log());
    }

    /// Until so many checks were under way: connected, shaken hands, and asked.
    pub fn wait_for_check(&self, count: usize) {
        wait_until("a request to the check server", SOON, || {
            self.check.requests().len() >= count
        });
    }

    /// The whole response.
    pub fn get(&self, path: &str) -> String {
        self.ask("GET", path)
    }

    pub fn ask(&self, method: &str, path: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).expect("a connection");
        stream.set_read_timeout(Some(SOON)).expect("a timeout");
        write!(
            stream,
            "{method} {path} HTTP/1.0\r\nHost: localhost\r\n\r\n"
        )
        .expect("a request");
        let mut response = String::new();
        stream.read_to_string(&mut response).expect("a response");
        response
    }

    /// `stop` or `graceful-stop`; returns how long it took until the last process was gone.
    pub fn stop_by(&mut self, how: &str) -> Duration {
        self.signal_apache(how);
        self.wait_for_the_end()
    }

    /// After something that ends it.
    pub fn wait_for_the_end(&mut self) -> Duration {
        let parent = self.parent();
        let started = Instant::now();
        wait_until("the end of apache2", SOON, || !proc::is_alive(parent));
        let elapsed = started.elapsed();
        self.parent = None;
        let left = proc::session(parent);
        assert!(
            left.is_empty(),
            "left behind: {left:?}; log:\n{}",
            self.log()
        );
        elapsed
    }

    /// All of its processes were killed.
    pub fn forget_parent(mut self) {
        self.parent = None;
    }

    /// Whether there was an answer.
    pub fn try_get(&self, path: &str) -> bool {
        let Ok(mut stream) = TcpStream::connect(("127.0.0.1", self.port)) else {
            return false;
        };
        stream.set_read_timeout(Some(SOON)).expect("a timeout");
        write!(stream, "GET {path} HTTP/1.0\r\n\r\n").is_ok()
            && stream.read(&mut [0; 1]).is_ok_and(|count| count > 0)
    }

    /// The end of every test: nothing is left behind, and nothing died of a signal or was killed.
    pub fn finish(mut self) {
        self.stop_by("stop");
        self.assert_clean_log();
        let dir = self.dir.take().expect("a directory");
        dir.close().expect("the directory can be removed");
    }

    /// The end of a test in which httpd replaced its children as fast as it could. One that begins while httpd stops may
    /// miss that, and is killed: not psc's process.
    pub fn finish_a_rush(mut self) {
        let checker = format!("process {} ", self.checker());
        self.stop_by("stop");
        let log = self.log();
        for line in log.lines() {
            let is_killed = line.contains("AH00045") || line.contains("AH00046");
            assert!(!is_killed || !line.contains(&checker), "{log}");
            assert!(
                !line.contains("AH00051") && !line.contains("AH00052"),
                "{log}"
            );
        }
        let dir = self.dir.take().expect("a directory");
        dir.close().expect("the directory can be removed");
    }

    pub fn assert_clean_log(&self) {
        let log = self.log();
        // a child died of a signal; a child had to be told again, by SIGTERM and SIGKILL
        for crash in ["AH00051", "AH00052", "AH00045", "AH00046", "exit signal"] {
            assert!(!log.contains(crash), "{crash} in the log:\n{log}");
        }
    }
}

impl Drop for Apache {
    /// After a failed assertion.
    fn drop(&mut self) {
        let Some(parent) = self.parent else {
            return;
        };
        signal(parent, libc::SIGTERM).ok(); // an error: it has ended already
        let limit = Instant::now() + SOON;
        while proc::is_alive(parent) && Instant::now() < limit {
            std::thread::sleep(Duration::from_millis(20));
        }
        for pid in proc::session(parent) {
            signal(pid, libc::SIGKILL).ok();
        }
    }
}

/// `apache2 -X`: the process is ours, and so is its exit code.
pub struct Foreground(Child);

impl Foreground {
    pub fn start(command: &mut Command) -> Foreground {
        Foreground(
            command
                .arg("-X")
                .stderr(Stdio::null())
                .spawn()
                .expect("apache2"),
        )
    }

    pub fn pid(&self) -> u32 {
        self.0.id()
    }

    /// Asks it to end, and returns its exit code.
    pub fn stop(mut self) -> Option<i32> {
        signal(self.0.id(), libc::SIGTERM).expect("apache2 runs");
        wait_until("the end of apache2 -X", SOON, || {
            self.0.try_wait().expect("a child").is_some()
        });
        self.0.wait().expect("a child").code()
    }
}

impl Drop for Foreground {
    fn drop(&mut self) {
        self.0.kill().ok(); // an error: it has ended already
        self.0.wait().ok();
    }
}

/// A file's bytes, for what must not be in it.
pub fn bytes(path: &Path) -> Vec<u8> {
    fs::read(path).unwrap_or_default()
}
