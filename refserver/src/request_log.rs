//! What arrived: kept in memory for tests, appended to `requests.jsonl` for people.

use crate::log;
use crate::sync::lock;
use serde_json::json;
use std::collections::VecDeque;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// One HTTP request, refused ones included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    pub path: String,
    pub headers: Vec<(String, String)>,
    pub body: String,
    /// The client showed a certificate, and it was good.
    pub client_certificate: bool,
    /// The fault in force, empty without one.
    pub fault: String,
    /// The HTTP status that the request deserved; the fault may have sent another.
    pub status: u16,
    /// First line of the license that came along.
    pub licensee: Option<String>,
}

pub(crate) struct RequestLog {
    file: PathBuf,
    remember: usize,
    requests: Mutex<VecDeque<Request>>,
    arrived: Condvar,
}

impl RequestLog {
    pub fn new(file: PathBuf, remember: usize) -> RequestLog {
        RequestLog {
            file,
            remember,
            requests: Mutex::default(),
            arrived: Condvar::new(),
        }
    }

    pub fn add(&self, request: Request) {
        let mut requests = lock(&self.requests);
        if let Err(cause) = self.append(&request) {
            log::error(&format!("{}: {cause}", self.file.display()));
        }
        requests.push_back(request);
        while requests.len() > self.remember {
            requests.pop_front();
        }
        self.arrived.notify_all();
    }

    /// The file is opened anew each time, so that it may be rotated.
    fn append(&self, request: &Request) -> io::Result<()> {
        let time = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .as_secs();
        let line = json!({
            "time": time,
            "path": request.path,
            "status": request.status,
            "fault": request.fault,
            "client_certificate": request.client_certificate,
            "licensee": request.licensee,
            "headers": request.headers,
            "body": request.body,
        });
        let mut file = OpenOptions::new()
            .append(true)
            .create(true)
            .open(&self.file)?;
        file.write_all(format!("{line}\n").as_bytes())
    }

    pub fn all(&self) -> Vec<Request> {
        lock(&self.requests).iter().cloned().collect()
    }

    pub fn wait(&self, count: usize, limit: Duration) -> Vec<Request> {
        let requests = lock(&self.requests);
        let result = self
            .arrived
            .wait_timeout_while(requests, limit, |requests| requests.len() < count);
        result
            .unwrap_or_else(PoisonError::into_inner)
            .0
            .iter()
            .cloned()
            .collect()
    }
}
