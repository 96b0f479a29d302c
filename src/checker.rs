//! One handle: its configuration, its log, what it remembers and what is running. The C functions translate to this.

use crate::check::verdict::{Expected, Verdict};
use crate::check::{self, Attempt, report};
use crate::check::{envelope::Envelope, nonce::Nonce, preview, request::Request};
use crate::code::Code;
use crate::config::check_config::{CheckConfig, Readiness};
use crate::config::{Config, Rejection};
use crate::contain::contained;
use crate::failure::{Failure, Retry};
use crate::log::{Logger, Sink, Voice, WARNING};
use crate::outcome::Outcome;
use crate::random;
use crate::schedule::plan::{self, Ending};
use crate::schedule::thread;
use crate::state::memory::Memory;
use crate::state::record::{Authenticated, Last, Moment, Record};
use crate::stop::{Activity, Interrupt, Stop};
use crate::sync::{lock, wait};
use crate::sys::clock::{Clock, SystemClock};
use crate::sys::{descriptor::close, signals};
use serde_json::Value;
use std::sync::atomic::{AtomicI32, AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long `psc_stop` waits for what is running; the contract allows a second.
const STOP_LIMIT: Duration = Duration::from_millis(900);

pub struct Checker {
    pub logger: Arc<Logger>,
    pub clock: Box<dyn Clock>,
    pub stop: Stop,
    config: Mutex<Config>,
    memory: Mutex<Memory>,
    running: Mutex<Running>,
    /// `running` has changed.
    changed: Condvar,
    /// The process in which something runs; 0 when nothing does.
    active_process: AtomicU32,
    /// The text of a panic that ended the thread.
    crash: Mutex<Option<String>>,
    /// Of the lock that makes this process the owner of the host's schedule; -1 when it is not.
    pub owner_descriptor: AtomicI32,
}

/// What is going on.
#[derive(Default)]
struct Running {
    thread: Option<Background>,
    check: Option<CheckInFlight>,
    last_ticket: u64,
}

struct Background {
    handle: JoinHandle<()>,
    voice: Voice,
    ended: Arc<std::sync::atomic::AtomicBool>,
}

struct CheckInFlight {
    ticket: u64,
    voice: Voice,
}

impl Running {
    fn has_thread(&self) -> bool {
        self.thread
            .as_ref()
            .is_some_and(|thread| !thread.ended.load(Ordering::SeqCst))
    }

    fn is_busy(&self) -> bool {
        self.check.is_some() || self.has_thread()
    }
}

impl Checker {
    pub fn new(sink: Option<Sink>) -> Checker {
        let config = Config::empty();
        let clock = Box::new(SystemClock::new());
        let memory = Memory::new(clock.now(), clock.boot_id());
        Checker {
            logger: Arc::new(Logger::new(sink, config.settings.log_level)),
            clock,
            stop: Stop::new(),
            config: Mutex::new(config),
            memory: Mutex::new(memory),
            running: Mutex::default(),
            changed: Condvar::new(),
            active_process: AtomicU32::new(0),
            crash: Mutex::default(),
            owner_descriptor: AtomicI32::new(-1),
        }
    }

    /// Whether something ran in another process when this one was forked from it. No lock may be touched then.
    pub fn is_foreign(&self) -> bool {
        let process = self.active_process.load(Ordering::SeqCst);
        process != 0 && process != std::process::id()
    }

    // Configuration

    pub fn configure(&self, json: &[u8]) -> Result<(), Rejection> {
        let (before, after) = {
            let mut config = lock(&self.config);
            let merged = config.merged(json)?;
            (std::mem::replace(&mut *config, merged.clone()), merged)
        };
        self.logger.set_level(after.settings.log_level);
        if after.settings.interval != before.settings.interval {
            self.replan(after.settings.interval);
        }
        if after.settings.disabled {
            self.stop.cancel_checks();
        } else {
            self.stop.wake();
        }
        Ok(())
    }

    pub fn readiness(&self) -> Readiness {
        lock(&self.config).readiness()
    }

    /// A copy of the configuration as it is now.
    pub fn config(&self) -> Config {
        lock(&self.config).clone()
    }

    pub fn preview(&self) -> Result<Value, Failure> {
        match self.readiness() {
            Readiness::Ready(config) => preview::preview(&config),
            Readiness::Disabled => Err(Failure::new(
                Code::State,
                "checking is disabled: nothing would be sent",
                "",
            )),
            Readiness::Incomplete => Err(incomplete()),
        }
    }

    // Checks

    /// One check in the calling thread. `Err`: none was made.
    pub fn run_once(&self) -> Result<Outcome, Failure> {
        let config = match self.readiness() {
            Readiness::Ready(config) => config,
            Readiness::Incomplete => return Err(incomplete()),
            Readiness::Disabled => return Ok(self.disabled()),
        };
        let _sigpipe = signals::Blocked::sigpipe();
        let mark = self.stop.mark();
        let voice = Voice::new(&self.logger);
        let Some(ticket) = self.begin_check(&voice) else {
            return Err(Failure::new(
                Code::State,
                "a check of this handle is in flight already",
                "",
            ));
        };
        let outcome = match self.stop.prepare() {
            Ok(()) => {
                let interrupt = self.stop.interrupt(Activity::Call, mark);
                self.check(&config, &interrupt, &voice)
            }
            Err(failure) => {
                let attempt = Attempt::failed(failure);
                self.conclude(&attempt, &config, &voice, self.next_check(&config))
            }
        };
        self.end_check(ticket);
        Ok(outcome)
    }

    /// The check itself, with its memory and its log lines. The caller has begun it.
    pub fn check(&self, config: &CheckConfig, interrupt: &Interrupt, voice: &Voice) -> Outcome {
        let started = self.update_memory(config, voice, |record| self.announce(record, config));
        let attempt = contained(|| check::run(config, interrupt, voice)).unwrap_or_else(|text| {
            Attempt::failed(Failure::new(
                Code::Internal,
                format!("a bug in psc was contained: {text}"),
                "please report it to the makers of psc",
            ))
        });
        if attempt.code() == Code::Cancelled || voice.is_muted() {
            return self.conclude(&attempt, config, voice, started);
        }
        let next = self.update_memory(config, voice, |record| {
            self.remember(record, config, &attempt);
        });
        self.conclude(&attempt, config, voice, next)
    }

    fn disabled(&self) -> Outcome {
        let line = report::disabled(&self.config().settings);
        Voice::new(&self.logger).say(line.level, &line.text);
        Outcome::without_check(Code::Disabled, line.text, 0)
    }

    /// Logs a check and makes its result.
    fn conclude(
        &self,
        attempt: &Attempt,
        config: &CheckConfig,
        voice: &Voice,
        next_check: u64,
    ) -> Outcome {
        let lines = report::lines(attempt, config, next_check);
        for line in &lines {
            voice.say(line.level, &line.text);
        }
        let message = lines.first().map(|line| crate::text::record(&line.text));
        Outcome::of(
            attempt,
            message.unwrap_or_default(),
            &config.passenger_version,
            next_check,
            self.clock.now().wall,
        )
    }

    /// Only one check of a handle is in flight at a time.
    pub fn begin_check(&self, voice: &Voice) -> Option<u64> {
        let mut running = lock(&self.running);
        if running.check.is_some() {
            return None;
        }
        running.last_ticket = running.last_ticket.wrapping_add(1);
        let ticket = running.last_ticket;
        running.check = Some(CheckInFlight {
            ticket,
            voice: voice.clone(),
        });
        self.note_activity(&running);
        Some(ticket)
    }

    pub fn end_check(&self, ticket: u64) {
        let mut running = lock(&self.running);
        if running
            .check
            .as_ref()
            .is_some_and(|check| check.ticket == ticket)
        {
            running.check = None;
        }
        self.note_activity(&running);
        drop(running);
        self.changed.notify_all();
        // The thread plans anew with what this check came to.
        self.stop.wake();
    }

    /// The verdict on an answer to the request of this configuration and nonce, however it came.
    pub fn verify(&self, response: &[u8], nonce: &str) -> Result<Outcome, Failure> {
        let Readiness::Ready(config) = self.readiness() else {
            return Err(incomplete());
        };
        // A licence is encrypted anew for each request, so it cannot be part of one that is repeated.
        let config = CheckConfig {
            licence: None,
            ..*config
        };
        let request = Request::new(&config, Nonce::of_request(nonce))?;
        let attempt = Attempt {
            nonce: Some(request.nonce.clone()),
            request_sha256: Some(request.sha256.clone()),
            http_status: 0,
            outcome: check::verify(
                response,
                &config,
                &expected(&config, &request.nonce, &request.sha256),
            )
            .map_err(|failure| failure.with_status(0)),
        };
        let next = self.next_check(&config);
        let message = report::lines(&attempt, &config, next)
            .first()
            .map(|line| crate::text::record(&line.text));
        let now = self.clock.now().wall;
        Ok(Outcome::of(
            &attempt,
            message.unwrap_or_default(),
            &config.passenger_version,
            next,
            now,
        ))
    }

    // Memory

    /// Before the transfer: a process that dies in it must not try again at once.
    fn announce(&self, record: &mut Record, config: &CheckConfig) {
        record.unanswered = record.unanswered.saturating_add(1);
        record.last = Some(Last {
            at: Moment::of(self.clock.now()),
            code: None,
            message: None,
            ending: Ending::Failed(Retry::Unanswered),
        });
        plan_from_last(record, config.settings.interval);
    }

    fn remember(&self, record: &mut Record, config: &CheckConfig, attempt: &Attempt) {
        let at = Moment::of(self.clock.now());
        let (ending, message) = match &attempt.outcome {
            Ok(answer) => {
                let backoff_minutes = answer.verdict.backoff_minutes();
                record.authentic = Some(Authenticated {
                    at,
                    running_version: config.passenger_version.clone(),
                    nonce: attempt
                        .nonce
                        .as_ref()
                        .map(|nonce| nonce.as_str().to_owned())
                        .unwrap_or_default(),
                    request_sha256: attempt.request_sha256.clone().unwrap_or_default(),
                    data: answer.data.clone(),
                    signature: answer.signature.clone(),
                });
                record.untrusted_since = None;
                record.silence_warned = false;
                record.reminded = answer.verdict.update().map(|_| at);
                (Ending::Authentic { backoff_minutes }, None)
            }
            Err(failure) => {
                if matches!(failure.code, Code::Signature | Code::Nonce) {
                    record.untrusted_since = record.untrusted_since.or(Some(at));
                }
                (
                    Ending::Failed(failure.retry),
                    Some(crate::text::record(&failure.text())),
                )
            }
        };
        if ending != Ending::Failed(Retry::Unanswered) {
            record.unanswered = 0;
        }
        record.last = Some(Last {
            at,
            code: Some(attempt.code().number()),
            message,
            ending,
        });
        plan_from_last(record, config.settings.interval);
    }

    fn replan(&self, interval: u64) {
        let config = self.config();
        let mut memory = lock(&self.memory);
        memory.use_dir(config.settings.state_dir.as_deref());
        memory.update(self.clock.as_ref(), |record| {
            plan_from_last(record, interval);
        });
    }

    /// Changes what is remembered; returns the seconds until the next check.
    pub fn update_memory(
        &self,
        config: &CheckConfig,
        voice: &Voice,
        change: impl FnOnce(&mut Record),
    ) -> u64 {
        let mut next = 0;
        let warning = {
            let mut memory = self.memory(config);
            memory.update(self.clock.as_ref(), |record| {
                change(record);
                next = self.until_due(record);
            });
            memory.take_warning()
        };
        say_warning(voice, warning);
        next
    }

    /// What is remembered, as it is now.
    pub fn recall(&self, config: &CheckConfig, voice: &Voice) -> Record {
        let (record, warning) = {
            let mut memory = self.memory(config);
            let record = memory.load(self.clock.as_ref()).clone();
            (record, memory.take_warning())
        };
        say_warning(voice, warning);
        record
    }

    pub fn memory(&self, config: &CheckConfig) -> MutexGuard<'_, Memory> {
        let mut memory = lock(&self.memory);
        memory.use_dir(config.settings.state_dir.as_deref());
        memory
    }

    fn next_check(&self, config: &CheckConfig) -> u64 {
        let mut memory = self.memory(config);
        self.until_due(memory.load(self.clock.as_ref()))
    }

    fn until_due(&self, record: &Record) -> u64 {
        let until = record.due.map_or(0, |due| due.until(self.clock.now()));
        u64::try_from(until).unwrap_or(0)
    }

    /// What the last authentic answer said, verified again, if it is about the version that runs.
    pub fn known_verdict(record: &Record, config: &CheckConfig) -> Option<(Verdict, Moment)> {
        let known = record.authentic.as_ref()?;
        if known.running_version != config.passenger_version {
            return None;
        }
        let envelope = Envelope::from_texts(known.data.clone(), known.signature.clone()).ok()?;
        let nonce = Nonce::of_request(&known.nonce);
        let answer = check::verify_envelope(
            envelope,
            config,
            &expected(config, &nonce, &known.request_sha256),
        );
        drop(openssl::error::ErrorStack::get());
        Some((answer.ok()?.verdict, known.at))
    }

    // The background thread

    pub fn start(self: &Arc<Checker>) -> Result<(), Failure> {
        if matches!(self.readiness(), Readiness::Incomplete) {
            return Err(incomplete());
        }
        let mut running = lock(&self.running);
        if running.has_thread() {
            return Err(Failure::new(Code::State, "already started", ""));
        }
        if let Some(ended) = running.thread.take() {
            let _ = ended.handle.join();
        }
        self.stop.prepare()?;
        lock(&self.memory).restart();
        *lock(&self.crash) = None;
        running.thread = Some(self.spawn()?);
        self.note_activity(&running);
        Ok(())
    }

    fn spawn(self: &Arc<Checker>) -> Result<Background, Failure> {
        let voice = Voice::new(&self.logger);
        let ended = Arc::new(std::sync::atomic::AtomicBool::new(false));
        let mark = self.stop.mark();
        let body = {
            let (checker, voice, ended) = (Arc::clone(self), voice.clone(), Arc::clone(&ended));
            move || {
                thread::main(&checker, &voice, mark);
                let running = lock(&checker.running);
                ended.store(true, Ordering::SeqCst);
                checker.note_activity(&running);
                drop(running);
                checker.changed.notify_all();
            }
        };
        // The thread inherits the mask: the host's signals are the host's.
        let _signals = signals::Blocked::all();
        let handle = std::thread::Builder::new()
            .name("psc".to_owned())
            .stack_size(thread::STACK_BYTES)
            .spawn(body)
            .map_err(|error| Failure::system(format!("no thread: {error}")))?;
        Ok(Background {
            handle,
            voice,
            ended,
        })
    }

    /// Ends what is running and waits for it, at most a second.
    pub fn stop(&self) -> Result<(), Failure> {
        self.stop.request();
        let started = Instant::now();
        let mut running = lock(&self.running);
        while running.is_busy() && started.elapsed() < STOP_LIMIT {
            running = wait(
                &self.changed,
                running,
                STOP_LIMIT.saturating_sub(started.elapsed()),
            );
        }
        let in_time = !running.is_busy();
        let thread = running.thread.take();
        if !in_time {
            // What hangs may go on hanging, but it has nothing to say any more.
            for voice in thread.iter().map(|thread| &thread.voice) {
                voice.mute();
            }
            if let Some(check) = running.check.take() {
                check.voice.mute();
            }
        }
        self.note_activity(&running);
        drop(running);
        if let Some(thread) = thread.filter(|_| in_time) {
            let _ = thread.handle.join();
        }
        if self
            .logger
            .wait_until_idle(STOP_LIMIT.saturating_sub(started.elapsed()))
        {
            return Ok(());
        }
        Err(Failure::new(
            Code::Timeout,
            "the host's log callback did not return in time",
            "",
        ))
    }

    /// The end of the handle inside its own callback: no waiting, nothing more is logged.
    pub fn abandon(&self) {
        self.stop.request();
        self.logger.close();
    }

    /// In a process forked while something ran: closes what is inherited and touches nothing else, since the lost thread
    /// may have held any lock.
    pub fn release_descriptors(&self) {
        self.stop.close_inherited();
        close(self.owner_descriptor.swap(-1, Ordering::SeqCst));
    }

    pub fn is_running(&self) -> bool {
        lock(&self.running).has_thread()
    }

    fn note_activity(&self, running: &Running) {
        let process = if running.is_busy() {
            std::process::id()
        } else {
            0
        };
        self.active_process.store(process, Ordering::SeqCst);
    }

    /// The thread has ended by a bug.
    pub fn note_crash(&self, text: &str) {
        *lock(&self.crash) = Some(text.to_owned());
    }

    /// For `psc_status`: the code and text of a bug that ended the thread.
    pub fn crash(&self) -> Option<Value> {
        lock(&self.crash).as_ref().map(|text| {
            serde_json::json!({ "code": Code::Internal.number(), "name": Code::Internal.name(), "text": text })
        })
    }
}

fn say_warning(voice: &Voice, warning: Option<String>) {
    if let Some(warning) = warning {
        voice.say(WARNING, &warning);
    }
}

fn incomplete() -> Failure {
    Failure::new(
        Code::State,
        "the configuration is not complete: passenger_version and server_identifier are required",
        "",
    )
}

fn expected<'a>(config: &CheckConfig, nonce: &'a Nonce, request_sha256: &'a str) -> Expected<'a> {
    Expected {
        nonce,
        request_sha256,
        require_request_binding: config.settings.require_request_binding,
    }
}

/// Plans the next check from how the last one ended.
fn plan_from_last(record: &mut Record, interval: u64) {
    if let Some(last) = &record.last {
        let delay = plan::delay(last.ending, interval, record.unanswered, &random::up_to);
        record.due = Some(last.at.after(delay));
    }
}
