//! A value for each thread that has one. They are the handle's, not the thread's: a thread-local value with a destructor ends the
//! process where there is no memory for it.

use crate::sync::ThreadMark;

pub struct PerThread<T>(Vec<(ThreadMark, T)>);

impl<T> PerThread<T> {
    pub fn new() -> PerThread<T> {
        PerThread(Vec::new())
    }

    /// Of the calling thread; `None`: it has none any more.
    pub fn set(&mut self, value: Option<T>) {
        let thread = ThreadMark::of_this_thread();
        self.0.retain(|(of, _)| *of != thread);
        self.0.extend(value.map(|value| (thread, value)));
    }

    /// Of the calling thread.
    pub fn get(&self) -> Option<&T> {
        let thread = ThreadMark::of_this_thread();
        let own = self.0.iter().find(|(of, _)| *of == thread)?;
        Some(&own.1)
    }
}
