//! A store that always fails.

use async_trait::async_trait;
use bedrock_sso::time::Timestamp;
use bedrock_sso_server::{
    calendar::PeriodKey,
    limits::{Block, Grant, Limit, LimitKey, Scope},
    person::Person,
    store::{Account, CountOutcome, CountedCall, Faults, OverLimitMark, PersonRecord, Store, StoreError, StoreResult},
    usage::ModelUsage,
};

#[derive(Debug)]
pub(crate) struct BrokenStore(pub StoreError);

impl BrokenStore {
    fn fail<T>(&self) -> StoreResult<T> {
        Err(self.0.clone())
    }
}

#[async_trait]
impl Store for BrokenStore {
    async fn count(&self, _: &[CountedCall]) -> StoreResult<Vec<CountOutcome>> {
        self.fail()
    }
    async fn load_account(&self, _: &Person, _: &[PeriodKey]) -> StoreResult<Account> {
        self.fail()
    }
    async fn list_usage(&self, _: &PeriodKey) -> StoreResult<Vec<(Person, ModelUsage)>> {
        self.fail()
    }
    async fn save_person(&self, _: &Person, _: &PersonRecord) -> StoreResult<()> {
        self.fail()
    }
    async fn list_people(&self) -> StoreResult<Vec<(Person, PersonRecord)>> {
        self.fail()
    }
    async fn set_limit(&self, _: &Limit) -> StoreResult<()> {
        self.fail()
    }
    async fn remove_limits(&self, _: &[LimitKey]) -> StoreResult<usize> {
        self.fail()
    }
    async fn list_limits(&self, _: Option<&Scope>) -> StoreResult<Vec<Limit>> {
        self.fail()
    }
    async fn add_grant(&self, _: &Grant) -> StoreResult<()> {
        self.fail()
    }
    async fn list_grants(&self, _: Timestamp) -> StoreResult<Vec<Grant>> {
        self.fail()
    }
    async fn remove_grants(&self, _: &Person) -> StoreResult<Vec<Grant>> {
        self.fail()
    }
    async fn set_block(&self, _: &Block) -> StoreResult<()> {
        self.fail()
    }
    async fn remove_block(&self, _: &Person) -> StoreResult<bool> {
        self.fail()
    }
    async fn list_blocks(&self, _: Timestamp) -> StoreResult<Vec<Block>> {
        self.fail()
    }
    async fn list_model_limits(&self) -> StoreResult<Vec<Limit>> {
        self.fail()
    }
    async fn mark_over_limit(&self, _: &Person, _: Timestamp) -> StoreResult<()> {
        self.fail()
    }
    async fn list_over_limit(&self, _: Timestamp) -> StoreResult<Vec<OverLimitMark>> {
        self.fail()
    }
    async fn unmark_over_limit(&self, _: &OverLimitMark) -> StoreResult<bool> {
        self.fail()
    }
    async fn acquire_lease(&self, _: &str, _: &str, _: Timestamp, _: Timestamp) -> StoreResult<bool> {
        self.fail()
    }
    async fn release_lease(&self, _: &str, _: &str) -> StoreResult<()> {
        self.fail()
    }
    async fn claim_notice(&self, _: &str, _: Timestamp) -> StoreResult<bool> {
        self.fail()
    }
    async fn add_faults(&self, _: &Faults) -> StoreResult<()> {
        self.fail()
    }
    async fn load_faults(&self) -> StoreResult<Faults> {
        self.fail()
    }
    async fn remove_expired(&self, _: Timestamp) -> StoreResult<()> {
        self.fail()
    }
    async fn check(&self) -> StoreResult<()> {
        self.fail()
    }
}
