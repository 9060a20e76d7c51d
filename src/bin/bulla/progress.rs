//! Progress for people: bars on a terminal, nothing elsewhere; and the wish to stop.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;

use bulla::ops::progress::{Progress, Stage};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use crate::terminal;

/// Shows bars on standard error if somebody watches it, and stops the work on SIGINT, SIGTERM and SIGHUP.
pub(crate) struct Bars {
    bar: Mutex<ProgressBar>,
    stop: Arc<AtomicBool>,
}

/// Whether somebody wants the work to stop. Signals are the process's, so there is one.
static STOP: LazyLock<Arc<AtomicBool>> = LazyLock::new(Arc::default);

/// Whether a signal asked the work to stop.
pub(crate) fn was_stopped() -> bool {
    STOP.load(Ordering::Relaxed)
}

impl Bars {
    /// Bars for one command.
    pub(crate) fn new() -> Arc<Self> {
        let stop = Arc::clone(&STOP);
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            // The second signal ends the program at once; the first asks it to clean up. Where a handler cannot be
            // set, the signal ends it as usual, and what is half written has no final name.
            let _ = signal_hook::flag::register_conditional_shutdown(signal, 130, Arc::clone(&stop));
            let _ = signal_hook::flag::register(signal, Arc::clone(&stop));
        }
        Arc::new(Self { bar: Mutex::new(ProgressBar::hidden()), stop })
    }

    fn with(&self, act: impl FnOnce(&mut ProgressBar)) {
        act(&mut self.bar.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// The templates are constants; should one ever not parse, the plain style serves.
fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("=> ")
}

impl Progress for Bars {
    fn stage(&self, what: Stage, total_bytes: Option<u64>) {
        if !terminal::is_watched() {
            return;
        }
        let bar = match total_bytes {
            Some(total) => ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr()).with_style(style(
                "{msg:>20} [{bar:30}] {binary_bytes}/{binary_total_bytes} {binary_bytes_per_sec} {eta} left",
            )),
            None => ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr())
                .with_style(style("{msg:>20} {spinner} {elapsed}")),
        };
        bar.set_message(what.to_string());
        bar.enable_steady_tick(Duration::from_millis(200));
        self.with(|current| {
            current.finish_and_clear();
            *current = bar;
        });
    }

    fn advance(&self, bytes: u64) {
        self.with(|bar| bar.inc(bytes));
    }

    fn done(&self) {
        self.with(|bar| bar.finish_and_clear());
    }

    fn cancelled(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

impl Drop for Bars {
    fn drop(&mut self) {
        self.done();
    }
}
