//! One person's laptop on a working day: which programs ask for credentials when, and what the client does then.
//!
//! How long credentials count as fresh is decided by the client's own functions and constants. The order of its steps is
//! written here again, from `worker/mod.rs` and `session/mod.rs`, because they need files, locks and a network.

use std::{ops::Range, time::Duration};

use bedrock_sso::{
    cache::{Freshness, MIN_REMAINING, RENEWAL_PAUSE, assess_expiry},
    time::Timestamp,
};

use crate::{
    load::{HOUR, Seconds, Service},
    random::Random,
};

/// What a day is like.
pub(crate) struct Scenario {
    /// How long AWS's credentials last.
    pub(crate) session: i64,
    /// How long an approval lasts.
    pub(crate) interval: i64,
    /// By which share of itself an approval is shortened at most, by chance.
    pub(crate) jitter: f64,
    /// Which share of the people runs agents, which work all the time.
    pub(crate) agents: f64,
    /// When the quota service does not answer. The profile says `on_error = "deny"`.
    pub(crate) outage: Range<i64>,
}

/// The requests of all laptops.
pub(crate) struct Load {
    pub(crate) all: [Seconds; 3],
    /// Without those of a first sign-in, for which a person waits.
    pub(crate) renewals: [Seconds; 3],
    /// How often a program asked the client for credentials.
    pub(crate) calls: u64,
    /// How many ID tokens were issued.
    pub(crate) new_tokens: u64,
    /// `/check` by the part of the table that answers it.
    pub(crate) shards: Vec<Seconds>,
}

/// An ID token lasts an hour at most providers.
const TOKEN_LIFE: i64 = HOUR;

/// How long before the end of its credentials a program asks for new ones: Claude Code and the SDK for JavaScript, and
/// botocore.
const CLAUDE_CODE_AHEAD: i64 = 5 * 60;
const BOTOCORE_AHEAD: i64 = 15 * 60;

/// The programs on a laptop that use credentials.
#[derive(Clone, Copy)]
enum Tool {
    /// With the mean pause between two calls of Bedrock, in seconds.
    ClaudeCode { pause: f64 },
    /// A program with botocore that makes a call each minute.
    Botocore,
    /// `aws`, typed by hand now and then, which asks each time.
    Cli,
}

/// What the client has stored.
struct Stored {
    credentials_end: i64,
    approved_until: i64,
    token_end: i64,
    renewal_tried: i64,
    /// When the latest attempt failed; long ago after a success.
    renewal_failed: i64,
}

/// Why a worker runs, as far as it matters for what is fresh enough.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Purpose {
    Renewal,
    Automatic,
}

impl Load {
    pub(crate) fn new(shards: usize) -> Self {
        let three = || [Seconds::new(), Seconds::new(), Seconds::new()];
        Self {
            all: three(),
            renewals: three(),
            calls: 0,
            new_tokens: 0,
            shards: (0..shards).map(|_| Seconds::new()).collect(),
        }
    }
}

/// One laptop, while its day is simulated.
struct Laptop<'l> {
    scenario: &'l Scenario,
    load: &'l mut Load,
    random: &'l mut Random,
    shard: usize,
    stored: Stored,
}

/// Half of the people arrive between seven and ten, most of them around nine, and the other half in the minutes around
/// nine, before the first meeting.
fn arrive(random: &mut Random) -> i64 {
    if random.is(0.5) {
        return random.around(9.0 * HOUR as f64, 240.0);
    }
    // The larger and the smaller of two random moments make a slope.
    let (one, other) = (random.share(), random.share());
    match random.is(2.0 / 3.0) {
        true => ((7.0 + 2.0 * one.max(other)) * HOUR as f64) as i64,
        false => ((9.0 + one.min(other)) * HOUR as f64) as i64,
    }
}

/// Simulates one laptop from the arrival of its user to the evening.
pub(crate) fn spend_day(scenario: &Scenario, random: &mut Random, load: &mut Load) {
    let arrival = arrive(random);
    let leaving = arrival + random.seconds(8.0 * HOUR as f64, 9.5 * HOUR as f64);
    let lunch = random.around(12.25 * HOUR as f64, 900.0);
    let lunch = lunch..lunch + random.seconds(1800.0, 3600.0);
    let pause = if random.is(scenario.agents) { 5.0 } else { 180.0 };
    let shard = random.below(load.shards.len());
    let stored = Stored { credentials_end: 0, approved_until: 0, token_end: 0, renewal_tried: 0, renewal_failed: 0 };
    let mut laptop = Laptop { scenario, load, random, shard, stored };
    laptop.sign_in(arrival);
    let mut tools = vec![(arrival, Tool::ClaudeCode { pause })];
    if laptop.random.is(0.3) {
        tools.push((arrival + laptop.random.pause(600.0), Tool::Botocore));
    }
    if laptop.random.is(0.5) {
        tools.push((arrival + laptop.random.pause(1800.0), Tool::Cli));
    }
    loop {
        let next = tools.iter_mut().min_by_key(|(at, _)| *at).unwrap();
        let (now, tool) = *next;
        if now >= leaving {
            return;
        }
        next.0 = if lunch.contains(&now) {
            lunch.end + laptop.random.pause(180.0)
        } else {
            let end = laptop.get_credentials(now);
            laptop.next_call(tool, now, end)
        };
    }
}

impl Laptop<'_> {
    /// When the program asks again, after it has got credentials until `end`, or none.
    fn next_call(&mut self, tool: Tool, now: i64, end: Option<i64>) -> i64 {
        match (tool, end) {
            // A call between now and then finds the credentials in the program's memory.
            (Tool::ClaudeCode { pause }, Some(end)) => {
                now.max(end - CLAUDE_CODE_AHEAD) + self.random.pause(pause).max(1)
            }
            (Tool::Botocore, Some(end)) => (now + 60).max(end - BOTOCORE_AHEAD + self.random.seconds(0.0, 60.0)),
            // The person, or the agent, tries again.
            (Tool::ClaudeCode { pause }, None) => now + self.random.pause(pause.max(60.0)).max(1),
            (Tool::Botocore, None) => now + 60,
            (Tool::Cli, _) => now + self.random.pause(1800.0).max(1),
        }
    }

    fn count(&mut self, service: Service, at: i64, is_renewal: bool) {
        self.load.all[service as usize].add(at);
        if is_renewal {
            self.load.renewals[service as usize].add(at);
        }
        if service == Service::Check {
            self.load.shards[self.shard].add(at);
        }
    }

    /// The provider has ended the session over the weekend, so the person signs in with the browser.
    fn sign_in(&mut self, now: i64) {
        // Description and keys, which are a day old, and a refresh that is refused.
        (0..3).for_each(|_| self.count(Service::Provider, now, false));
        // The page in the browser, and the same request without cookies.
        (0..2).for_each(|_| self.count(Service::Provider, now + 2, false));
        let done = now + 2 + self.random.seconds(5.0, 60.0);
        self.count(Service::Provider, done, false);
        self.store_token(done);
        if self.check(done, false) {
            self.exchange(done, false);
        }
    }

    /// Step 1 of the ladder. Returns when the credentials end that the program gets.
    fn get_credentials(&mut self, now: i64) -> Option<i64> {
        self.load.calls += 1;
        let end = |stored: &Stored| stored.credentials_end.min(stored.approved_until);
        match assess(end(&self.stored), now) {
            Freshness::Fresh => Some(end(&self.stored)),
            Freshness::RenewSoon => {
                let served = end(&self.stored);
                if !was_lately(self.stored.renewal_tried, now) {
                    self.stored.renewal_tried = now;
                    self.work(Purpose::Renewal, now);
                }
                Some(served)
            }
            // If the renewal fails, what is still valid is served, and for a minute without another attempt.
            Freshness::RenewNow => {
                if !was_lately(self.stored.renewal_failed, now) {
                    self.work(Purpose::Automatic, now);
                }
                Some(end(&self.stored))
            }
            Freshness::Spent => self.work(Purpose::Automatic, now).then(|| end(&self.stored)),
        }
    }

    /// The other steps. Returns whether the person may spend.
    fn work(&mut self, purpose: Purpose, now: i64) -> bool {
        let may_spend = self.climb(purpose, now);
        self.stored.renewal_failed = if may_spend { 0 } else { now };
        may_spend
    }

    fn climb(&mut self, purpose: Purpose, now: i64) -> bool {
        let is_enough = |end: i64| match assess(end, now) {
            Freshness::Fresh => true,
            Freshness::RenewSoon => purpose == Purpose::Automatic,
            Freshness::RenewNow | Freshness::Spent => false,
        };
        if is_enough(self.stored.credentials_end) {
            if is_enough(self.stored.approved_until) {
                return true;
            }
            if self.stored.token_end <= now + seconds(MIN_REMAINING) {
                self.refresh(now);
            }
            return self.check(now, true);
        }
        self.refresh(now);
        if !self.check(now, true) {
            return false;
        }
        self.exchange(now, true);
        true
    }

    fn refresh(&mut self, now: i64) {
        self.count(Service::Provider, now, true);
        self.store_token(now);
    }

    fn store_token(&mut self, now: i64) {
        self.load.new_tokens += 1;
        self.stored.token_end = now + TOKEN_LIFE;
    }

    /// Asks the quota service. Without an answer an earlier approval lasts until its own end.
    fn check(&mut self, now: i64, is_renewal: bool) -> bool {
        self.count(Service::Check, now, is_renewal);
        if self.scenario.outage.contains(&now) {
            return false;
        }
        let shortened = self.scenario.jitter * self.random.share();
        self.stored.approved_until = now + (self.scenario.interval as f64 * (1.0 - shortened)) as i64;
        true
    }

    fn exchange(&mut self, now: i64, is_renewal: bool) {
        self.count(Service::Sts, now, is_renewal);
        self.stored.credentials_end = now + self.scenario.session;
    }
}

fn assess(end: i64, now: i64) -> Freshness {
    assess_expiry(Timestamp::from_unix(end), Timestamp::from_unix(now))
}

fn was_lately(attempt: i64, now: i64) -> bool {
    now - attempt < seconds(RENEWAL_PAUSE)
}

fn seconds(span: Duration) -> i64 {
    i64::try_from(span.as_secs()).unwrap()
}
