//! Work on many items on all cores, with results that do not depend on how many there are.

use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock};

/// Runs `work` on every item, on as many threads as there are cores; the first error ends it.
///
/// # Errors
/// That of the first item, in the order of the list, that failed before the others stopped.
pub fn in_parallel<T: Sync, E: Send>(items: &[T], work: impl Fn(&T) -> Result<(), E> + Sync) -> Result<(), E> {
    in_parallel_by(cores(), items, work)
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// The same on a given number of threads, where they wait for others rather than for each other.
///
/// # Errors
/// As [`in_parallel`].
pub fn in_parallel_by<T: Sync, E: Send>(
    workers: usize,
    items: &[T],
    work: impl Fn(&T) -> Result<(), E> + Sync,
) -> Result<(), E> {
    let workers = workers.min(items.len());
    let next = AtomicUsize::new(0);
    let failure: Mutex<Option<(usize, E)>> = Mutex::new(None);
    let run = || {
        loop {
            let position = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(position) else { return };
            if let Err(error) = work(item) {
                next.store(items.len(), Ordering::Relaxed);
                let mut first = failure.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                if first.as_ref().is_none_or(|(earlier, _)| position < *earlier) {
                    *first = Some((position, error));
                }
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..workers {
            scope.spawn(run);
        }
        run();
    });
    match failure.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner) {
        Some((_, error)) => Err(error),
        None => Ok(()),
    }
}

/// The results of `work` on every item, in the order of the items, made on as many threads as there are cores.
pub fn map_in_parallel<T: Sync, R: Send + Sync>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let slots: Vec<(&T, OnceLock<R>)> = items.iter().map(|item| (item, OnceLock::new())).collect();
    let fill = |(item, slot): &(&T, OnceLock<R>)| -> Result<(), Infallible> {
        slot.get_or_init(|| work(item));
        Ok(())
    };
    match in_parallel(&slots, fill) {
        Ok(()) => slots.into_iter().filter_map(|(_, slot)| slot.into_inner()).collect(),
        Err(never) => match never {},
    }
}

/// As [`map_in_parallel`], for work that can fail; the first error ends it.
///
/// # Errors
/// That of the first item, in the order of the list, that failed before the others stopped.
pub fn try_map_in_parallel<T: Sync, R: Send + Sync, E: Send>(
    items: &[T],
    work: impl Fn(&T) -> Result<R, E> + Sync,
) -> Result<Vec<R>, E> {
    try_map_in_parallel_by(cores(), items, work)
}

/// The same on a given number of threads, where they wait for others rather than for each other.
///
/// # Errors
/// As [`try_map_in_parallel`].
pub fn try_map_in_parallel_by<T: Sync, R: Send + Sync, E: Send>(
    workers: usize,
    items: &[T],
    work: impl Fn(&T) -> Result<R, E> + Sync,
) -> Result<Vec<R>, E> {
    let slots: Vec<(&T, OnceLock<R>)> = items.iter().map(|item| (item, OnceLock::new())).collect();
    in_parallel_by(workers, &slots, |(item, slot)| {
        let result = work(item)?;
        slot.get_or_init(|| result);
        Ok(())
    })?;
    Ok(slots.into_iter().filter_map(|(_, slot)| slot.into_inner()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_the_order_of_the_items() {
        let items: Vec<usize> = (0..1_000).collect();
        assert_eq!(map_in_parallel(&items, |item| item * 2), items.iter().map(|item| item * 2).collect::<Vec<_>>());
        let doubled = try_map_in_parallel(&items, |item| Ok::<_, ()>(item * 2));
        assert_eq!(doubled, Ok(items.iter().map(|item| item * 2).collect()));
        let failed = try_map_in_parallel(&items, |item| if *item >= 500 { Err(*item) } else { Ok(()) });
        assert!(failed.is_err_and(|item| item >= 500));
    }
}
