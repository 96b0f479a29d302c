//! nginx in a temporary directory, on a port of its own, stopped when it goes out of scope.

use crate::config::Config;
use crate::process::{self, Pid};
use psc_testkit::{Finished, free_port, require, run, wait_until};
use std::fs::{self, File, Permissions};
use std::net::TcpStream;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::available_parallelism;
use std::time::{Duration, Instant};
use tempfile::TempDir;

pub const SOON: Duration = Duration::from_secs(30);

/// What nginx writes when something went wrong that no test asked for.
const BAD_SIGNS: [&str; 5] = [
    "exited on signal",
    "[emerg]",
    "[alert]",
    "[crit]",
    "fatal code",
];

pub struct Nginx {
    pub config: Config,
    pub dir: TempDir,
    port: u16,
    environment: Vec<(String, String)>,
    running: Option<Running>,
}

struct Running {
    /// What was started: the master itself, or the process that has left it behind as a daemon.
    child: Child,
    pid: Pid,
}

impl Nginx {
    /// Not started yet.
    pub fn new(config: &Config) -> Nginx {
        let dir = tempfile::tempdir().expect("a temporary directory");
        // The workers run as another user when root starts the tests.
        fs::set_permissions(dir.path(), Permissions::from_mode(0o755)).expect("chmod");
        let mut config = config.clone();
        config.set_path("state_path", &dir.path().join("state"));
        Nginx {
            config,
            dir,
            port: free_port(),
            environment: Vec::new(),
            running: None,
        }
    }

    pub fn started(config: &Config) -> Nginx {
        let mut nginx = Nginx::new(config);
        nginx.start();
        nginx
    }

    /// For the next start.
    pub fn set_environment(&mut self, name: &str, value: &str) {
        self.environment.push((name.to_string(), value.to_string()));
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn conf_file(&self) -> PathBuf {
        self.path("nginx.conf")
    }

    /// As an ordinary user would have it, together with `as_nobody` for the command. That user may not get to where the
    /// module was built, for instance below root's home.
    pub fn give_to_nobody(&mut self) {
        let module = self.path("ngx_http_psc_module.so");
        fs::copy(crate::module::module(), &module).expect("a copy of the module");
        self.config.module = Some(module);
        self.write_config();
        for path in [self.dir.path().to_owned(), self.conf_file()] {
            chown(path, Some(NOBODY), Some(NOBODY)).expect("chown");
        }
    }

    pub fn write_config(&self) {
        fs::write(
            self.conf_file(),
            self.config.text(self.dir.path(), self.port),
        )
        .expect("nginx.conf");
    }

    /// nginx on this directory. Its path is absolute, or it could not start itself anew on USR2.
    pub fn command(&self) -> Command {
        let mut command = Command::new(require("nginx"));
        command.arg("-e").arg(self.path("error.log"));
        command.arg("-p").arg(self.dir.path());
        command.arg("-c").arg(self.conf_file());
        command.envs(self.environment.iter().cloned());
        command
    }

    /// `nginx -t` on the current configuration.
    pub fn test(&self) -> Finished {
        self.write_config();
        run(self.command().arg("-t"), Duration::from_secs(20))
    }

    pub fn start(&mut self) {
        self.write_config();
        let mut command = self.command();
        self.start_command(&mut command);
    }

    /// Starts nginx by a command that comes to `command()` in the end.
    pub fn start_command(&mut self, command: &mut Command) {
        assert!(self.running.is_none(), "nginx runs already");
        let output = File::create(self.path("output")).expect("a file for nginx's output");
        command
            .stdin(Stdio::null())
            .stdout(output.try_clone().expect("the same file"))
            .stderr(output)
            .process_group(0);
        let child = command.spawn().expect("nginx");
        let pid = Pid::try_from(child.id()).expect("a process id");
        self.running = Some(Running { child, pid });
        let started = Instant::now();
        while !self.is_ready() {
            assert!(
                started.elapsed() < Duration::from_secs(60) && !self.has_failed(),
                "nginx did not start:\n{}\n{}",
                fs::read_to_string(self.path("output")).unwrap_or_default(),
                self.log()
            );
            std::thread::sleep(Duration::from_millis(5));
        }
        let pid = self.pid_file().expect("nginx.pid");
        self.running.as_mut().expect("nginx").pid = pid;
        self.wait_for_workers();
    }

    fn is_ready(&self) -> bool {
        self.pid_file().is_some_and(process::is_alive)
            && TcpStream::connect(("127.0.0.1", self.port)).is_ok()
    }

    fn has_failed(&mut self) -> bool {
        let running = self.running.as_mut().expect("nginx");
        let ended = running.child.try_wait().expect("wait");
        ended.is_some_and(|status| !(status.success() && self.config.daemon))
    }

    fn pid_file(&self) -> Option<Pid> {
        let text = fs::read_to_string(self.path("nginx.pid")).ok()?;
        text.trim().parse().ok()
    }

    /// The master, or the single process.
    pub fn pid(&self) -> Pid {
        self.running.as_ref().expect("nginx is not running").pid
    }

    /// The workers that take requests; those that are leaving have another title.
    pub fn workers(&self) -> Vec<Pid> {
        workers_of(self.pid())
    }

    pub fn only_worker(&self) -> Pid {
        wait_until("one worker", SOON, || self.workers().len() == 1);
        self.workers()[0]
    }

    /// The processes of this nginx that hold the right to check.
    pub fn owners(&self) -> Vec<Pid> {
        process::lock_holders(&self.path("state/owner.lock"))
    }

    pub fn wait_for_owner(&self, what: &str, limit: Duration, wanted: impl Fn(Pid) -> bool) -> Pid {
        wait_until(
            &format!("owner: {what}"),
            limit,
            || matches!(self.owners()[..], [pid] if wanted(pid)),
        );
        self.owners()[0]
    }

    /// All processes of this nginx that have a thread of psc's.
    pub fn checking(&self) -> Vec<Pid> {
        let group = process::in_group(self.pid());
        group
            .into_iter()
            .filter(|pid| process::thread_names(*pid).iter().any(|name| name == "psc"))
            .collect()
    }

    pub fn signal(&self, number: i32) {
        process::signal(self.pid(), number);
    }

    /// A reload with the current configuration, through to the exit of the last old worker.
    pub fn reload(&self) {
        let old = self.workers();
        self.write_config();
        self.signal(libc::SIGHUP);
        wait_until("the end of the old workers", SOON, || {
            old.iter().all(|pid| !process::is_alive(*pid))
        });
        self.wait_for_workers();
    }

    /// A worker gets its title some time after its start.
    fn wait_for_workers(&self) {
        let wanted = match (self.config.master_process, self.config.workers.parse()) {
            (false, _) => 0,
            (true, Ok(number)) => number,
            (true, Err(_)) => available_parallelism().expect("a number").get(),
        };
        wait_until("the workers", SOON, || self.workers().len() == wanted);
    }

    /// Ends nginx by a signal (SIGQUIT, SIGTERM) and tells how long that took.
    pub fn end(&mut self, number: i32) -> Duration {
        self.signal(number);
        self.wait_for_the_end()
    }

    /// After a signal that ends nginx; tells how long it took from here.
    pub fn wait_for_the_end(&mut self) -> Duration {
        let pid = self.pid();
        let started = Instant::now();
        wait_until("the end of nginx", Duration::from_secs(30), || {
            self.nudge(started);
            !process::is_alive(pid)
        });
        let elapsed = started.elapsed();
        let mut running = self.running.take().expect("nginx");
        let status = running.child.wait().expect("wait");
        assert!(status.success(), "{status}\n{}", self.log());
        assert!(process::in_group(pid).is_empty(), "a process is left");
        elapsed
    }

    /// A single process misses a signal that arrives right before it waits for events, until the next event: a connection or,
    /// where it listens no more, another signal, of which it takes no notice.
    pub fn nudge(&self, since: Instant) {
        if self.config.master_process || since.elapsed() < Duration::from_millis(300) {
            return;
        }
        if TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            // An error: it has ended meanwhile.
            process::try_signal(self.pid(), libc::SIGIO).ok();
        }
    }

    /// Ends nginx and looks for signs of trouble in its log.
    pub fn end_clean(mut self) {
        self.end(libc::SIGQUIT);
        self.assert_no_bad_signs();
    }

    pub fn assert_no_bad_signs(&self) {
        for line in self.log().lines() {
            assert!(
                !BAD_SIGNS.iter().any(|sign| line.contains(sign)),
                "{line}\nin\n{}",
                self.log()
            );
        }
    }

    pub fn log(&self) -> String {
        let bytes = fs::read(self.path("error.log")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    pub fn log_lines(&self, part: &str) -> Vec<String> {
        let log = self.log();
        log.lines()
            .filter(|line| line.contains(part))
            .map(str::to_string)
            .collect()
    }

    /// Waits for a line in error.log and returns it.
    pub fn wait_for_line(&self, part: &str) -> String {
        wait_until(&format!("{part:?} in {}", self.log()), SOON, || {
            !self.log_lines(part).is_empty()
        });
        self.log_lines(part).remove(0)
    }

    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- error.log\n{}", self.log());
        }
        let Some(mut running) = self.running.take() else {
            return;
        };
        if !process::in_group(running.pid).is_empty() {
            let group = libc::pid_t::try_from(running.pid).expect("a process id");
            // SAFETY: the group is that of the nginx that this test started.
            unsafe { libc::killpg(group, libc::SIGKILL) };
        }
        running.child.wait().expect("wait");
    }
}

pub fn workers_of(master: Pid) -> Vec<Pid> {
    let children = process::children(master);
    children
        .into_iter()
        .filter(|pid| process::title(*pid) == "nginx: worker process")
        .collect()
}

pub const NOBODY: u32 = 65534;

/// A directory that the workers can write to, whoever they are.
pub fn give_to_workers(dir: &Path) {
    fs::set_permissions(dir, Permissions::from_mode(0o777)).expect("chmod");
}
