//! What the beginning and the end of a check change in the host's record.

use super::delay;
use crate::check::attempt::Attempt;
use crate::check::nonce::Nonce;
use crate::code::Code;
use crate::error::Retry;
use crate::state::record::{AuthenticAnswer, Completion, LastBegun, LastCheck, Record};
use crate::state::timestamp::Timestamp;
use crate::sys::clock::Now;
use crate::text;

/// What a change depends on beside the record.
pub struct Context<'a> {
    pub now: Now,
    /// The configured one, in seconds.
    pub interval: u64,
    /// The id of the host's run.
    pub host_run: String,
    /// `random(n)` gives a number from 0 to n.
    pub random: &'a dyn Fn(u64) -> u64,
}

/// What the beginning of a check has replaced.
pub struct Undo {
    begun: Timestamp,
    due: Option<Timestamp>,
    last: Option<LastCheck>,
    unanswered: u32,
}

impl Undo {
    /// Takes a cancelled check back. It may have been sent, so it is not repeated sooner than an unanswered one.
    pub fn apply(self, record: &mut Record) {
        let is_ours = |last: &LastCheck| last.code.is_none() && last.at == self.begun;
        if !record.last.as_ref().is_some_and(is_ours) {
            // Another process has made a check since.
            return;
        }
        let later = |due: &Timestamp| Some(due.boot) > record.due.map(|due| due.boot);
        record.due = self.due.filter(later).or(record.due);
        record.last = self.last;
        record.unanswered = self.unanswered;
    }
}

/// Before the transfer: a process that dies in it must not try again at once. `subject`: whom the check asks.
pub fn begin_check(record: &mut Record, subject: String, context: &Context) -> Undo {
    let at = Timestamp::of(context.now);
    let is_repeated = |before: &LastBegun| before.subject == subject;
    let undo = Undo {
        begun: at,
        // The plan was made for what the last check was about.
        due: record
            .due
            .filter(|_| record.begun.as_ref().is_none_or(is_repeated)),
        last: record.last.take(),
        unanswered: record.unanswered,
    };
    record.unanswered = record.unanswered.saturating_add(1);
    record.last = Some(LastCheck {
        at,
        code: None,
        message: None,
        completion: Completion::Failed(Retry::Unanswered),
    });
    record.begun = Some(LastBegun { at, subject });
    reschedule(record, context);
    undo
}

/// After a check that was not cancelled. `running_version`: what it asked about.
pub fn finish_check(
    record: &mut Record,
    attempt: &Attempt,
    running_version: &str,
    context: &Context,
) {
    let at = Timestamp::of(context.now);
    let (completion, message) = match &attempt.outcome {
        Ok(answer) => {
            let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
            record.authentic = Some(AuthenticAnswer {
                at,
                running_version: running_version.to_owned(),
                nonce: text(attempt.nonce.as_ref().map(Nonce::as_str)),
                // The digest of the request is not kept: it would be believed for no better reason than that.
                extra_fields: attempt.extra_fields.clone(),
                data: answer.data.clone(),
                signature: answer.signature.clone(),
            });
            record.untrusted_since = None;
            record.silence_warned = false;
            if answer.verdict.update().is_some() {
                note_reminder(record, context);
            } else {
                record.reminded = None;
                record.reminded_in = None;
            }
            let backoff_minutes = answer.verdict.backoff_minutes();
            (Completion::Authentic { backoff_minutes }, None)
        }
        Err(error) => {
            if matches!(error.code, Code::Signature | Code::Nonce) {
                record.untrusted_since = record.untrusted_since.or(Some(at));
            }
            let message = text::log_line(&error.to_string());
            (Completion::Failed(error.retry), Some(message))
        }
    };
    if completion != Completion::Failed(Retry::Unanswered) {
        record.unanswered = 0;
    }
    record.last = Some(LastCheck {
        at,
        code: Some(attempt.code().number()),
        message,
        completion,
    });
    reschedule(record, context);
}

/// A known update is logged now.
pub fn note_reminder(record: &mut Record, context: &Context) {
    record.reminded = Some(Timestamp::of(context.now));
    record.reminded_in = Some(context.host_run.clone());
}

/// Plans the next check from how the last one ended.
pub fn reschedule(record: &mut Record, context: &Context) {
    record.interval = context.interval;
    if let Some(last) = &record.last {
        let delay = delay::until_next_check(
            last.completion,
            context.interval,
            record.unanswered,
            context.random,
        );
        record.due = Some(last.at.after(delay));
    }
}
