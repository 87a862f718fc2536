//! The budget for frames that are not requests.
//!
//! h2 itself stops rapid resets, CONTINUATION floods and header bombs, but it answers any number of PING and SETTINGS
//! frames. A frame that costs work and carries none is paid for here with a token.
//!
//! Invariants:
//!
//! 1. A bucket never holds more tokens than its `burst`.
//! 2. A bucket gains tokens with time, and with the work that the client asks for: HEADERS and DATA frames that the
//!    server sends or receives. Nothing else adds tokens.
//! 3. A frame that finds its bucket empty is a flood, and a flood ends the connection.
//! 4. The clock is read only when a bucket is empty, so an honest client costs no look at the clock.

use super::frames::{
    CONTINUATION, DATA, END_HEADERS, END_STREAM, FrameHead, HEADERS, PADDED, PING, RST_STREAM, SETTINGS,
    WINDOW_UPDATE,
};

/// A bucket of tokens.
#[derive(Debug)]
struct Bucket {
    tokens: u32,
    burst: u32,
    per_second: u32,
    filled_at: u64,
}

impl Bucket {
    fn new(burst: u32, per_second: u32) -> Self {
        Self { tokens: burst, burst, per_second, filled_at: 0 }
    }

    /// Takes one token; false if there is none.
    fn take(&mut self, now: &dyn Fn() -> u64) -> bool {
        if self.tokens == 0 {
            let now = now();
            let filled = now.saturating_sub(self.filled_at).saturating_mul(u64::from(self.per_second)) / 1000;
            self.tokens = u32::try_from(filled).unwrap_or(u32::MAX).min(self.burst);
            self.filled_at = now;
        }
        match self.tokens.checked_sub(1) {
            Some(left) => {
                self.tokens = left;
                true
            }
            None => false,
        }
    }

    fn earn(&mut self, tokens: u32) {
        self.tokens = self.tokens.saturating_add(tokens).min(self.burst);
    }
}

/// The buckets of one connection.
#[derive(Debug)]
pub(super) struct Budget {
    control: Bucket,
    windows: Bucket,
    resets: Bucket,
}

impl Budget {
    pub(super) fn new() -> Self {
        Self { control: Bucket::new(200, 20), windows: Bucket::new(1000, 100), resets: Bucket::new(200, 50) }
    }

    /// The server sent a frame. Clients answer DATA frames with WINDOW_UPDATE, in proportion to the bytes, and some
    /// clients also measure the round trip with PING.
    pub(super) fn earn_sent(&mut self, frame: FrameHead) {
        if frame.kind == DATA && frame.length > 0 {
            self.control.earn(2);
            self.windows.earn(1 + u32::try_from(frame.length / 256).unwrap_or(u32::MAX));
        }
    }

    /// The server began so many responses, each of which the client may cancel.
    pub(super) fn earn_responses(&mut self, responses: u32) {
        self.resets.earn(responses);
    }

    /// Charges for a frame. Gives the name of the flood if the bucket is empty.
    pub(super) fn charge(&mut self, frame: FrameHead, now: &dyn Fn() -> u64) -> Option<&'static str> {
        let FrameHead { length, kind, flags, .. } = frame;
        let (bucket, flood) = match kind {
            HEADERS => {
                self.control.earn(2);
                return None;
            }
            // A padded frame may hold nothing but padding.
            DATA if flags & END_STREAM == 0 && (length == 0 || flags & PADDED != 0 && length <= 256) => {
                (&mut self.control, "empty_data_flood")
            }
            DATA => return None,
            CONTINUATION if flags & END_HEADERS != 0 => return None,
            CONTINUATION => (&mut self.control, "continuation_flood"),
            RST_STREAM => (&mut self.resets, "reset_flood"),
            WINDOW_UPDATE => (&mut self.windows, "window_update_flood"),
            SETTINGS => (&mut self.control, "settings_flood"),
            PING => (&mut self.control, "ping_flood"),
            _ => (&mut self.control, "control_frame_flood"),
        };
        if bucket.take(now) { None } else { Some(flood) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8) -> FrameHead {
        FrameHead { length: 0, kind, flags: 0, stream: 1 }
    }

    fn flood(budget: &mut Budget, kind: u8, now: u64) -> Option<(u32, &'static str)> {
        (0..5000).find_map(|count| budget.charge(frame(kind), &|| now).map(|flood| (count, flood)))
    }

    #[test]
    fn each_kind_of_flood_is_stopped_and_named() {
        for (kind, count, name) in [
            (PING, 200, "ping_flood"),
            (SETTINGS, 200, "settings_flood"),
            (DATA, 200, "empty_data_flood"),
            (CONTINUATION, 200, "continuation_flood"),
            (2, 200, "control_frame_flood"),
            (99, 200, "control_frame_flood"),
            (RST_STREAM, 200, "reset_flood"),
            (WINDOW_UPDATE, 1000, "window_update_flood"),
        ] {
            assert_eq!(flood(&mut Budget::new(), kind, 0), Some((count, name)));
        }
        assert_eq!(flood(&mut Budget::new(), HEADERS, 0), None);
    }

    #[test]
    fn time_and_work_fill_the_bucket() {
        let mut budget = Budget::new();
        assert_eq!(flood(&mut budget, PING, 0), Some((200, "ping_flood")));
        assert_eq!(flood(&mut budget, PING, 1000), Some((20, "ping_flood")));
        for _ in 0..3 {
            budget.earn_sent(FrameHead { length: 10, ..frame(DATA) });
        }
        assert_eq!(flood(&mut budget, PING, 1000), Some((6, "ping_flood")));
    }

    #[test]
    fn a_response_pays_for_one_reset() {
        let mut budget = Budget::new();
        assert_eq!(flood(&mut budget, RST_STREAM, 0), Some((200, "reset_flood")));
        budget.earn_responses(50);
        assert_eq!(flood(&mut budget, RST_STREAM, 0), Some((50, "reset_flood")));
        // It pays for nothing else, and is not saved up beyond the bucket.
        assert_eq!(flood(&mut budget, PING, 0), Some((200, "ping_flood")));
        budget.earn_responses(1000);
        assert_eq!(flood(&mut budget, PING, 0), Some((0, "ping_flood")));
        assert_eq!(flood(&mut budget, RST_STREAM, 0), Some((200, "reset_flood")));
    }

    #[test]
    fn data_that_are_sent_pay_for_the_windows_that_take_them() {
        for (length, windows, control) in [(0, 0, 0), (1, 1, 2), (255, 1, 2), (256, 2, 2), (16_384, 65, 2)] {
            let mut budget = Budget::new();
            flood(&mut budget, WINDOW_UPDATE, 0);
            flood(&mut budget, PING, 0);
            budget.earn_sent(FrameHead { length, ..frame(DATA) });
            let earned = [flood(&mut budget, WINDOW_UPDATE, 0), flood(&mut budget, PING, 0)];
            assert_eq!(earned.map(|flood| flood.map(|(count, _)| count)), [Some(windows), Some(control)]);
            // Other frames earn nothing.
            budget.earn_sent(FrameHead { length: 1000, ..frame(SETTINGS) });
            assert_eq!(flood(&mut budget, WINDOW_UPDATE, 0), Some((0, "window_update_flood")));
        }
    }

    /// Whether such a frame is paid for.
    fn costs(kind: u8, flags: u8, length: usize) -> bool {
        let mut budget = Budget::new();
        flood(&mut budget, PING, 0);
        budget.charge(FrameHead { length, flags, ..frame(kind) }, &|| 0).is_some()
    }

    #[test]
    fn data_are_free_if_they_carry_something_or_end_the_stream() {
        for (flags, length, expected) in [
            (0, 0, true),
            (0, 1, false),
            (0, 256, false),
            (PADDED, 0, true),
            (PADDED, 1, true),
            (PADDED, 256, true),
            (PADDED, 257, false),
            (END_STREAM, 0, false),
            (END_STREAM, 1, false),
            (END_STREAM | PADDED, 0, false),
            (END_STREAM | PADDED, 256, false),
        ] {
            assert_eq!(costs(DATA, flags, length), expected, "flags {flags}, {length} bytes");
        }
    }

    #[test]
    fn the_last_frame_of_a_head_is_free_and_the_head_pays_for_others() {
        assert!(costs(CONTINUATION, 0, 100));
        assert!(!costs(CONTINUATION, END_HEADERS, 0));
        let mut budget = Budget::new();
        flood(&mut budget, PING, 0);
        assert_eq!(budget.charge(frame(HEADERS), &|| 0), None);
        assert_eq!(flood(&mut budget, PING, 0), Some((2, "ping_flood")));
    }

    #[test]
    fn a_bucket_fills_by_its_rate_up_to_its_burst() {
        for (now, tokens) in
            [(49, 0), (50, 1), (999, 19), (1000, 20), (9999, 199), (10_000, 200), (1 << 40, 200)]
        {
            let mut bucket = Bucket { tokens: 0, burst: 200, per_second: 20, filled_at: 0 };
            let taken = (0..1000).take_while(|_| bucket.take(&|| now)).count();
            assert_eq!(taken, tokens, "after {now} ms");
        }
        // A clock that goes back gives nothing.
        let mut bucket = Bucket { tokens: 0, burst: 200, per_second: 20, filled_at: 5000 };
        assert!(!bucket.take(&|| 4000));
    }
}
