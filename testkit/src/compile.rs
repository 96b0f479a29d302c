//! C and C++ programs against the library.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use crate::library::{Library, library, target_dir};
use crate::process::{require, run};
use crate::support::repo;

/// Which library a program is linked with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Link {
    Shared,
    Static,
}

/// Both, as hosts do.
pub const LINKS: [Link; 2] = [Link::Shared, Link::Static];

const WARNINGS: [&str; 4] = ["-Wall", "-Wextra", "-Wpedantic", "-Werror"];
const LIMIT: Duration = Duration::from_secs(120);

/// Compiles a C (or, by its name, C++) source and links it with psc; returns the program.
/// `source` is relative to the repository. Done once per test process.
pub fn compile(source: &str, link: Link) -> PathBuf {
    compile_against(&library(), source, link, &[])
}

/// The same with another build of the library and more compiler flags.
pub fn compile_against(library: &Library, source: &str, link: Link, more: &[&str]) -> PathBuf {
    once(
        &format!("{library:?} {source} {link:?} {more:?}"),
        |output| {
            let mut command = compiler(source);
            command
                .args(["-g", "-pthread"])
                .args(more)
                .arg("-I")
                .arg(repo().join("include"));
            command.arg("-o").arg(output).arg(repo().join(source));
            match link {
                Link::Shared => {
                    command.arg("-L").arg(&library.dir).arg("-lpsc");
                    command.arg(format!("-Wl,-rpath,{}", library.dir.display()));
                }
                Link::Static => {
                    command
                        .arg(library.dir.join("libpsc.a"))
                        .args(&library.static_link_flags);
                }
            }
            command
        },
    )
}

/// Compiles a C source to a shared object for LD_PRELOAD.
pub fn compile_preload(source: &str) -> PathBuf {
    once(&format!("preload {source}"), |output| {
        let mut command = compiler(source);
        command
            .args(["-g", "-pthread", "-fPIC", "-shared", "-D_GNU_SOURCE"])
            .arg("-I")
            .arg(repo().join("include"));
        command.arg("-o").arg(output);
        command.arg(repo().join(source)).arg("-ldl");
        command
    })
}

fn compiler(source: &str) -> Command {
    let is_cpp = source.ends_with(".cpp");
    let mut command = Command::new(require(if is_cpp { "g++" } else { "gcc" }));
    command
        .arg(if is_cpp { "-std=c++11" } else { "-std=c11" })
        .args(WARNINGS);
    command
}

/// Runs the command that `prepare` makes for an output file, once per `key` and test process.
fn once(key: &str, prepare: impl FnOnce(&Path) -> Command) -> PathBuf {
    static PROGRAMS: OnceLock<Mutex<HashMap<String, PathBuf>>> = OnceLock::new();
    let mut programs = PROGRAMS
        .get_or_init(Mutex::default)
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    if let Some(program) = programs.get(key) {
        return program.clone();
    }
    let dir = target_dir().join("c-programs");
    std::fs::create_dir_all(&dir).expect("a directory for compiled programs");
    let program = dir.join(file_name(key));
    // Renamed into place: a program that runs in another test process cannot be overwritten.
    let fresh = dir.join(format!("{}.{}", file_name(key), std::process::id()));
    let mut command = prepare(&fresh);
    let done = run(&mut command, LIMIT);
    assert_eq!(done.code, Some(0), "{command:?} failed:\n{}", done.stderr);
    std::fs::rename(&fresh, &program).expect("a compiled program in its place");
    programs.insert(key.to_string(), program.clone());
    program
}

fn file_name(key: &str) -> String {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}
