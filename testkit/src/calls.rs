//! What a host calls of psc, and in which process and thread: c-tests/preload/calls.c.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::compile::compile_preload;
use crate::library::library_dir;

/// A call that came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    pub name: String,
    pub pid: u32,
    pub in_main_thread: bool,
    /// SIGTERM could not interrupt it.
    pub sigterm_blocked: bool,
}

/// The calls of the processes that have [`Calls::environment`] and a module that needs libpsc.so.
pub struct Calls(PathBuf);

impl Calls {
    /// `file` is made, and anybody may write to it.
    pub fn in_file(file: &Path) -> Calls {
        fs::write(file, "").expect("a file");
        fs::set_permissions(file, Permissions::from_mode(0o666)).expect("chmod");
        Calls(file.to_path_buf())
    }

    pub fn environment(&self) -> [(String, String); 3] {
        let preload = compile_preload("c-tests/preload/calls.c");
        // libpsc.so, too: what a module brings is not found from a preloaded library.
        let library = library_dir().join("libpsc.so");
        let both = format!("{}:{}", preload.display(), library.display());
        [
            ("LD_PRELOAD".into(), both),
            (
                "LD_LIBRARY_PATH".into(),
                library_dir().display().to_string(),
            ),
            ("PSC_CALLS".into(), self.0.display().to_string()),
        ]
    }

    pub fn all(&self) -> Vec<Call> {
        let text = fs::read_to_string(&self.0).expect("the calls");
        text.lines().map(Call::parse).collect()
    }

    /// Those of one function.
    pub fn of(&self, name: &str) -> Vec<Call> {
        let mut calls = self.all();
        calls.retain(|call| call.name == name);
        calls
    }

    /// How many handles the process made and did not free.
    pub fn kept_by(&self, pid: u32) -> usize {
        let count = |name: &str| {
            let calls = self.of(name);
            calls.iter().filter(|call| call.pid == pid).count()
        };
        count("psc_init")
            .checked_sub(count("psc_free"))
            .expect("a process frees what it made, and nothing else")
    }
}

impl Call {
    fn parse(line: &str) -> Call {
        let fields: Vec<&str> = line.split(' ').collect();
        let [name, pid, thread, sigterm] = fields[..] else {
            panic!("not a call: {line}")
        };
        Call {
            name: name.to_string(),
            pid: pid.parse().expect("a process id"),
            in_main_thread: thread == "main",
            sigterm_blocked: sigterm == "blocked",
        }
    }
}
