//! A configuration file for nginx in a temporary directory.

use crate::module::module;
use std::path::{Path, PathBuf};

const PREFIX: &str = "psc_security_update_check_";
const TEMP_PATHS: [&str; 5] = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];

#[derive(Clone)]
pub struct Config {
    pub workers: String,
    /// Of the workers, where root starts nginx.
    pub user: String,
    pub log_level: String,
    pub master_process: bool,
    pub daemon: bool,
    pub load_module: bool,
    /// `None`: where it was built.
    pub module: Option<PathBuf>,
    pub status_page: bool,
    /// Parameters of `listen`.
    pub listen: String,
    /// More lines outside of the http block, and in it.
    pub main: String,
    pub http: String,
    /// Names and arguments of our directives, in order.
    directives: Vec<(String, String)>,
}

impl Config {
    /// nginx without any directive of ours.
    pub fn bare() -> Config {
        Config {
            workers: "1".to_string(),
            user: "www-data".to_string(),
            log_level: "notice".to_string(),
            master_process: true,
            daemon: false,
            load_module: true,
            module: None,
            status_page: true,
            listen: String::new(),
            main: String::new(),
            http: String::new(),
            directives: Vec::new(),
        }
    }

    /// Gives a directive by the end of its name, instead of an earlier one of that name.
    pub fn set(&mut self, name: &str, argument: impl ToString) -> &mut Config {
        self.set_full(&format!("{PREFIX}{name}"), argument)
    }

    pub fn set_path(&mut self, name: &str, path: &Path) -> &mut Config {
        self.set(name, path.display())
    }

    pub fn unset(&mut self, name: &str) -> &mut Config {
        let full = format!("{PREFIX}{name}");
        self.directives.retain(|(known, _)| *known != full);
        self
    }

    pub fn disable(&mut self, value: &str) -> &mut Config {
        self.set_full("psc_disable_security_update_check", value)
    }

    fn set_full(&mut self, full: &str, argument: impl ToString) -> &mut Config {
        let argument = argument.to_string();
        match self.directives.iter_mut().find(|(known, _)| known == full) {
            Some(known) => known.1 = argument,
            None => self.directives.push((full.to_string(), argument)),
        }
        self
    }

    pub fn text(&self, dir: &Path, port: u16) -> String {
        let mut lines = Vec::new();
        if self.load_module {
            let module = self.module.clone().unwrap_or_else(module);
            lines.push(format!("load_module {};", module.display()));
        }
        lines.push(format!("pid {}/nginx.pid;", dir.display()));
        lines.push(format!(
            "error_log {}/error.log {};",
            dir.display(),
            self.log_level
        ));
        if psc_testkit::is_root() {
            lines.push(format!("user {};", self.user));
        }
        if !self.master_process {
            lines.push("master_process off;".to_string());
        }
        if !self.daemon {
            lines.push("daemon off;".to_string());
        }
        lines.push(format!("worker_processes {};", self.workers));
        lines.push(self.main.clone());
        lines.push("events { worker_connections 256; }".to_string());
        lines.push("http {".to_string());
        lines.push("access_log off;".to_string());
        for name in TEMP_PATHS {
            lines.push(format!("{name}_temp_path {}/tmp-{name};", dir.display()));
        }
        for (name, argument) in &self.directives {
            lines.push(format!("{name} {argument};"));
        }
        lines.push(self.http.clone());
        lines.push(format!(
            "server {{ listen 127.0.0.1:{port} {};",
            self.listen
        ));
        lines.push("location / { return 200 \"hello\\n\"; }".to_string());
        if self.load_module && self.status_page {
            lines.push("location = /psc { psc_status; }".to_string());
        }
        lines.push("} }".to_string());
        lines.join("\n") + "\n"
    }

    /// The line of the configuration file that holds our directive.
    pub fn line_of(&self, name: &str) -> usize {
        let text = self.text(Path::new("/"), 1);
        let position = text
            .lines()
            .position(|line| line.starts_with(&format!("{name} ")));
        position.unwrap_or_else(|| panic!("{name} is not in\n{text}")) + 1
    }
}
