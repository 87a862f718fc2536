//! What the system knows of this process, under the names that Prometheus' own clients use.
//!
//! It is read from `/proc`, so that it is there on Linux only.

use super::Samples;

#[cfg(target_os = "linux")]
pub(super) fn collect(samples: &mut Samples) {
    linux::collect(samples);
}

#[cfg(not(target_os = "linux"))]
pub(super) fn collect(_: &mut Samples) {}

#[cfg(target_os = "linux")]
mod linux {
    use std::fs;

    use super::Samples;

    pub(super) fn collect(samples: &mut Samples) {
        if let Some(stat) = fs::read_to_string("/proc/self/stat").ok().as_deref().and_then(Stat::parse) {
            let ticks = auxiliary(AT_CLKTCK).unwrap_or(100).max(1) as f64;
            let page = auxiliary(AT_PAGESZ).unwrap_or(4096);
            let cpu = (stat.user + stat.system) as f64 / ticks;
            samples.seconds("process_cpu_seconds_total", "CPU time of the process, user and system.", &[], cpu);
            let resident = stat.resident_pages.saturating_mul(page) as f64;
            samples.gauge("process_resident_memory_bytes", "Resident memory of the process.", &[], resident);
            let size = stat.virtual_bytes as f64;
            samples.gauge("process_virtual_memory_bytes", "Virtual memory of the process.", &[], size);
            if let Some(boot) = boot_time() {
                let start = boot as f64 + stat.start as f64 / ticks;
                samples.gauge(
                    "process_start_time_seconds",
                    "When the process began, since the epoch.",
                    &[],
                    start,
                );
            }
        }
        if let Some(open) = open_descriptors() {
            samples.gauge("process_open_fds", "Open file descriptors.", &[], open as f64);
        }
        if let Some(most) = fs::read_to_string("/proc/self/limits").ok().as_deref().and_then(most_descriptors) {
            samples.gauge("process_max_fds", "The most file descriptors that may be open.", &[], most);
        }
    }

    /// Fields of `/proc/self/stat` (proc(5)).
    #[derive(Debug, PartialEq, Eq)]
    struct Stat {
        user: u64,
        system: u64,
        start: u64,
        virtual_bytes: u64,
        resident_pages: u64,
    }

    impl Stat {
        fn parse(text: &str) -> Option<Self> {
            // The name of the program, in parentheses, may hold anything.
            let (_, rest) = text.rsplit_once(')')?;
            let fields: Vec<_> = rest.split_ascii_whitespace().collect();
            // The first field behind the name is the third of the line.
            let field = |number: usize| fields.get(number - 3)?.parse().ok();
            Some(Self {
                user: field(14)?,
                system: field(15)?,
                start: field(22)?,
                virtual_bytes: field(23)?,
                resident_pages: field(24)?,
            })
        }
    }

    const AT_PAGESZ: u64 = 6;
    const AT_CLKTCK: u64 = 17;

    /// A value that the kernel gives to each process (getauxval(3)), which `sysconf` answers with too.
    fn auxiliary(asked: u64) -> Option<u64> {
        const WORD: usize = size_of::<usize>();
        let words = fs::read("/proc/self/auxv").ok()?;
        let word = |bytes: &[u8]| Some(usize::from_ne_bytes(bytes.try_into().ok()?) as u64);
        words.chunks_exact(2 * WORD).find_map(|pair| {
            let (kind, value) = pair.split_at(WORD);
            (word(kind)? == asked).then(|| word(value))?
        })
    }

    /// When the system was started, in seconds since the epoch.
    fn boot_time() -> Option<u64> {
        let stat = fs::read_to_string("/proc/stat").ok()?;
        stat.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()
    }

    fn open_descriptors() -> Option<u64> {
        // Linux 6.2 and later tell the number at once; before it, the folder's size is 0.
        let told = fs::metadata("/proc/self/fd").ok()?.len();
        if told > 0 {
            return Some(told);
        }
        // The listing itself is one of them.
        Some(fs::read_dir("/proc/self/fd").ok()?.count().saturating_sub(1) as u64)
    }

    fn most_descriptors(limits: &str) -> Option<f64> {
        let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
        match line.split_ascii_whitespace().next()? {
            "unlimited" => Some(f64::INFINITY),
            number => number.parse().ok(),
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn the_name_of_a_program_may_hold_anything() {
            let text = "42 (a) b) R 1 2 3 4 5 6 7 8 9 10 111 222 15 16 17 18 19 20 333 444 555 666";
            let stat = Stat { user: 111, system: 222, start: 333, virtual_bytes: 444, resident_pages: 555 };
            assert_eq!(Stat::parse(text), Some(stat));
            assert_eq!(Stat::parse("42 (a) R 1"), None);
            assert_eq!(Stat::parse(""), None);
        }

        #[test]
        fn the_limit_of_descriptors_is_the_soft_one() {
            let limits =
                "Limit  Soft Limit  Hard Limit  Units\nMax open files            256        4096       files\n";
            assert_eq!(most_descriptors(limits), Some(256.0));
            assert_eq!(most_descriptors("Max open files  unlimited unlimited files"), Some(f64::INFINITY));
            assert_eq!(most_descriptors(""), None);
        }

        #[test]
        fn this_process_has_what_every_process_has() {
            let mut samples = Samples::new(100);
            collect(&mut samples);
            assert_eq!(samples.left_out(), 0);
            let snapshot = samples.finish();
            let value = |name: &str| {
                let mut families = snapshot.families();
                let (.., mut samples) = families.find(|(known, ..)| *known == name).expect(name);
                samples.next().and_then(|sample| sample.number()).expect("a number")
            };
            assert!(value("process_resident_memory_bytes") > 100_000.0);
            assert!(value("process_virtual_memory_bytes") >= value("process_resident_memory_bytes"));
            assert!(value("process_open_fds") >= 3.0);
            assert!(value("process_max_fds") >= value("process_open_fds"));
            assert!(value("process_cpu_seconds_total") >= 0.0);
            let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after it");
            let age = now.as_secs_f64() - value("process_start_time_seconds");
            assert!((-2.0..3600.0).contains(&age), "{age}");
        }
    }
}
