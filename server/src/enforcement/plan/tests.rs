//! Plans for the policies, judged by what AWS would read in the documents.

use proptest::{
    collection::{btree_map, vec},
    prelude::{Just, Strategy, any},
    prop_oneof,
    test_runner::{Config, TestCaseError, TestRunner},
};
use serde_json::{Value, json};

use super::*;

/// The first version that the template writes.
fn template_document() -> String {
    json!({ "Version": "2012-10-17", "Statement": [{
        "Sid": "Blocked", "Effect": "Deny",
        "Action": ["bedrock:*", "bedrock-mantle:*", "cloudwatch:*", "logs:*", "sts:*"], "Resource": "*",
        "Condition": { "StringLike": { "aws:userid": ["*:(nobody)"] } },
    }]})
    .to_string()
}

fn fresh(count: usize) -> Vec<String> {
    vec![template_document(); count]
}

fn person(name: &str) -> Person {
    Person::parse(name).unwrap()
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix(1_796_040_000 + seconds)
}

fn over_limit(name: &str, until: i64) -> Refusal {
    Refusal { person: person(name), until: Some(at(until)), cause: RefusalCause::Limit }
}

fn blocked(name: &str, until: Option<i64>) -> Refusal {
    Refusal { person: person(name), until: until.map(at), cause: RefusalCause::Block }
}

fn refuse(refusals: impl IntoIterator<Item = Refusal>) -> DesiredRefusals {
    DesiredRefusals { refusals: refusals.into_iter().collect(), bans: Vec::new() }
}

fn crowd(prefix: &str, count: usize) -> impl Iterator<Item = Refusal> {
    let prefix = prefix.to_owned();
    (0..count).map(move |number| over_limit(&format!("{prefix}.{number:04}@example.com"), 3600))
}

/// The documents after all writes of the plan. Each has a legal size.
fn carry_out(current: &[String], plan: &EnforcementPlan) -> Vec<String> {
    let mut documents = current.to_vec();
    for write in &plan.writes {
        assert!(write.document.len() <= MAX_DOCUMENT, "{} characters", write.document.len());
        assert!(!write.document.contains(char::is_whitespace));
        documents[write.policy] = write.document.clone();
    }
    documents
}

fn plan(current: &[String], desired: &DesiredRefusals) -> (EnforcementPlan, Vec<String>) {
    let plan = plan_policies(current, desired, "aws");
    let documents = carry_out(current, &plan);
    (plan, documents)
}

/// Whether AWS refuses a call: reads the documents as AWS does, without the code under test.
fn refuses(documents: &[String], name: &str, resource: &str, now: Timestamp) -> bool {
    let user = format!("AROAEXAMPLE:{name}");
    let matches = |pattern: &Value, text: &str| wildmatch::WildMatch::new(pattern.as_str().unwrap()).matches(text);
    let any = |patterns: &Value, text: &str| match patterns {
        Value::Array(list) => list.iter().any(|pattern| matches(pattern, text)),
        one => matches(one, text),
    };
    documents.iter().any(|document| {
        let document: Value = serde_json::from_str(document).unwrap();
        document["Statement"].as_array().unwrap().iter().any(|statement| {
            assert_eq!(statement["Effect"], "Deny");
            let condition = &statement["Condition"];
            let holds = condition.as_object().into_iter().flatten().all(|(operator, keys)| match operator.as_str() {
                "StringLike" => any(&keys["aws:userid"], &user),
                "StringNotLike" => !any(&keys["aws:userid"], &user),
                "DateLessThan" => now.to_string().as_str() < keys["aws:CurrentTime"].as_str().unwrap(),
                other => panic!("{other}"),
            });
            any(&statement["Action"], "bedrock:InvokeModel") && any(&statement["Resource"], resource) && holds
        })
    })
}

/// Everybody who is refused everything at this moment. For many people, because it reads each document once.
fn list_refused(documents: &[String], now: Timestamp) -> BTreeSet<Person> {
    let mut refused = BTreeSet::new();
    for document in documents {
        let document: Value = serde_json::from_str(document).unwrap();
        for statement in document["Statement"].as_array().unwrap() {
            let end = statement["Condition"]["DateLessThan"]["aws:CurrentTime"].as_str();
            if end.is_none_or(|end| now.to_string().as_str() < end) {
                let sessions = statement["Condition"]["StringLike"]["aws:userid"].as_array().unwrap();
                let names = sessions.iter().map(|session| session.as_str().unwrap().strip_prefix("*:").unwrap());
                refused.extend(names.filter(|name| *name != "(nobody)").map(person));
            }
        }
    }
    refused
}

const OPUS: &str = "arn:aws:bedrock:eu-west-1::foundation-model/anthropic.claude-opus-4-6-v1";
const HAIKU: &str = "arn:aws:bedrock:eu-west-1::foundation-model/anthropic.claude-haiku-4-5";

fn is_refused(documents: &[String], name: &str) -> bool {
    refuses(documents, name, OPUS, at(0))
}

#[test]
fn the_template_needs_no_write_while_nobody_is_refused() {
    let (plan, _) = plan(&fresh(4), &DesiredRefusals::default());
    assert_eq!(plan, EnforcementPlan::default());
    // Ours refuses nobody either, whatever the template's Sid is.
    let renamed = template_document().replace("\"Blocked\"", "\"Other\"");
    assert_eq!(plan_policies(&[renamed], &DesiredRefusals::default(), "aws").writes, []);
}

#[test]
fn the_last_person_leaves_the_document_of_the_template() {
    let (_, named) = plan(&fresh(1), &refuse([over_limit("alice", 60)]));
    assert!(is_refused(&named, "alice") && !is_refused(&named, "bob") && !is_refused(&named, "xalice"));
    let (plan, emptied) = plan(&named, &DesiredRefusals::default());
    assert_eq!(plan.writes.len(), 1);
    let parse = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    assert_eq!(parse(&emptied[0]), parse(&template_document()));
}

#[test]
fn a_refusal_ends_at_its_time_without_any_write() {
    let people =
        [over_limit("hour", 60), over_limit("month", 600), blocked("forever", None), blocked("until", Some(60))];
    let (_, documents) = plan(&fresh(2), &refuse(people));
    let refused_at = |seconds| -> Vec<&str> {
        let names = ["hour", "month", "forever", "until"];
        names.into_iter().filter(|name| refuses(&documents, name, HAIKU, at(seconds))).collect()
    };
    assert_eq!(refused_at(59), ["hour", "month", "forever", "until"]);
    assert_eq!(refused_at(60), ["month", "forever"]);
    assert_eq!(refused_at(600), ["forever"]);
    // Ends are grouped, so the document is short.
    assert_eq!(documents[0].matches("DateLessThan").count(), 2);
}

#[test]
fn of_two_refusals_of_a_person_the_later_end_holds() {
    for (both, end) in [
        ([blocked("alice", Some(60)), over_limit("alice", 600)], Some(600)),
        ([over_limit("alice", 60), blocked("alice", Some(600))], Some(600)),
        ([blocked("alice", None), over_limit("alice", 600)], None),
    ] {
        let (_, documents) = plan(&fresh(1), &refuse(both));
        let refused = |seconds| refuses(&documents, "alice", OPUS, at(seconds));
        assert!(refused(599));
        assert_eq!(refused(601), end.is_none());
    }
}

#[test]
fn five_hundred_people_fit_into_four_policies() {
    let people: Vec<Refusal> = crowd("first.last", 500).collect();
    let (plan, documents) = plan(&fresh(4), &refuse(people.clone()));
    assert!(plan.left_out.is_empty());
    let everybody: BTreeSet<Person> = people.iter().map(|refusal| refusal.person.clone()).collect();
    assert_eq!(list_refused(&documents, at(0)), everybody);
    assert!(is_refused(&documents, "first.last.0499@example.com"));
    // The next run has nothing to do.
    assert_eq!(plan_policies(&documents, &refuse(people), "aws"), EnforcementPlan::default());
}

#[test]
fn people_stay_where_they_are() {
    let people: Vec<Refusal> = crowd("a", 400).collect();
    let (_, documents) = plan(&fresh(4), &refuse(people.clone()));
    let place_of = |documents: &[String], refusal: &Refusal| {
        documents.iter().position(|document| document.contains(&format!("*:{}\"", refusal.person)))
    };
    // Somebody of the first policy may spend again, and a new person, whose name sorts last, takes the gap.
    let freed = people.iter().find(|refusal| place_of(&documents, refusal) == Some(0)).unwrap();
    let others: Vec<Refusal> = people.iter().filter(|refusal| *refusal != freed).cloned().collect();
    let newcomer = over_limit("b.0000@example.co", 3600);
    let (plan, changed) = plan(&documents, &refuse(others.iter().cloned().chain([newcomer.clone()])));
    assert_eq!(plan.writes.iter().map(|write| write.policy).collect::<Vec<_>>(), [0]);
    assert_eq!(place_of(&changed, &newcomer), Some(0));
    assert!(others.iter().all(|refusal| place_of(&changed, refusal) == place_of(&documents, refusal)));
    assert!(!is_refused(&changed, freed.person.as_str()));
}

#[test]
fn full_policies_name_explicit_blocks_first() {
    let limited: Vec<Refusal> = crowd("limited", 300).collect();
    let (first, documents) = plan(&fresh(1), &refuse(limited.clone()));
    let named = 300 - first.left_out.len();
    assert!((150..250).contains(&named), "{named}");
    // Those who are named stay, and those who found no room are the same ones.
    assert_eq!(
        plan_policies(&documents, &refuse(limited.clone()), "aws"),
        EnforcementPlan { writes: vec![], ..first.clone() }
    );
    let blocks = [blocked("zoe@example.com", None), blocked("yan@example.com", Some(60))];
    let (second, documents) = plan(&documents, &refuse(limited.iter().cloned().chain(blocks.clone())));
    assert!(blocks.iter().all(|block| is_refused(&documents, block.person.as_str())));
    assert!(second.left_out.is_superset(&first.left_out) && second.left_out.len() > first.left_out.len());
    // More blocks than fit: some of them are left out, and nobody else is named.
    let blocks: Vec<Refusal> =
        (0..300).map(|number| blocked(&format!("blocked.{number:04}@example.com"), None)).collect();
    let (third, documents) = plan(&documents, &refuse(limited.iter().cloned().chain(blocks)));
    let refused = list_refused(&documents, at(0));
    assert!(refused.iter().all(|person| person.as_str().starts_with("blocked")), "{refused:?}");
    assert_eq!(refused.len() + third.left_out.len(), 600);
    assert!(refused.len() > 150);
}

#[test]
fn a_person_in_two_policies_stays_in_the_first() {
    // Foreign hands have put alice into both; she stays in the first.
    let doubled = plan(&fresh(1), &refuse([over_limit("alice", 60)])).1[0].clone();
    let (plan, documents) = plan(&[doubled.clone(), doubled], &refuse([over_limit("alice", 60)]));
    assert_eq!(plan.writes.iter().map(|write| write.policy).collect::<Vec<_>>(), [1]);
    assert!(is_refused(&documents, "alice"));
}

#[test]
fn additions_are_written_before_removals() {
    let content = |name: &str| PolicyContent { refused: [(person(name), None)].into(), ..PolicyContent::default() };
    let found = [content("alice"), content("bob")];
    let contents = [content("bob"), content("alice")];
    let current: Vec<String> = found.iter().map(|content| content.render("aws")).collect();
    let writes = order_writes(&current, &found, &contents, "aws");
    assert_eq!(writes.iter().map(|write| write.policy).collect::<Vec<_>>(), [0, 1]);
    // Alice moves to the second: it is written first.
    let contents = [
        content("carl"),
        PolicyContent { refused: [(person("alice"), None), (person("bob"), None)].into(), ..content("bob") },
    ];
    let writes = order_writes(&current, &found, &contents, "aws");
    assert_eq!(writes.iter().map(|write| write.policy).collect::<Vec<_>>(), [1, 0]);
}

#[test]
fn bans_refuse_one_model_for_whom_they_are() {
    let names = |names: &[&str]| names.iter().map(|name| person(name)).collect::<BTreeSet<_>>();
    let desired = DesiredRefusals {
        refusals: vec![],
        bans: vec![
            ModelBan { pattern: "*claude-opus*".to_owned(), scope: BanScope::EverybodyExcept(names(&["ann"])) },
            ModelBan { pattern: "*claude-opus*".to_owned(), scope: BanScope::These(names(&["never"])) },
            ModelBan { pattern: "*haiku*".to_owned(), scope: BanScope::These(names(&["ben", "cid"])) },
            ModelBan { pattern: "*none*".to_owned(), scope: BanScope::EverybodyExcept(names(&[])) },
        ],
    };
    let (plan, documents) = plan(&fresh(1), &desired);
    assert_eq!(plan.bans_left_out, BTreeSet::new());
    let profile = "arn:aws:bedrock:eu-west-1:123456789012:inference-profile/eu.anthropic.claude-opus-4-6-v1";
    for (name, resource, refused) in [
        ("ann", OPUS, false),
        ("ann", profile, false),
        ("ben", OPUS, true),
        ("ben", profile, true),
        ("new", OPUS, true),
        ("ben", HAIKU, true),
        ("ann", HAIKU, false),
    ] {
        assert_eq!(refuses(&documents, name, resource, at(0)), refused, "{name} {resource}");
    }
    assert_eq!(plan_policies(&documents, &desired, "aws"), EnforcementPlan::default());
    // In another partition, another ARN.
    assert!(
        plan_policies(&fresh(1), &desired, "aws-cn").writes[0]
            .document
            .contains("arn:aws-cn:bedrock:*::foundation-model/*haiku*")
    );
    let (_, emptied) = self::plan(&documents, &DesiredRefusals::default());
    assert!(!is_refused(&emptied, "ben"));
}

#[test]
fn a_ban_that_does_not_fit_is_reported() {
    let exempt = (0..300).map(|number| person(&format!("exempt.{number:04}@example.com"))).collect();
    let ban = ModelBan { pattern: "*opus*".to_owned(), scope: BanScope::EverybodyExcept(exempt) };
    let (plan, documents) = plan(&fresh(4), &DesiredRefusals { refusals: vec![], bans: vec![ban] });
    assert_eq!(plan.bans_left_out, BTreeSet::from(["*opus*".to_owned()]));
    // A part of the exceptions would ban those who are exempt.
    assert!(!is_refused(&documents, "exempt.0299@example.com") && plan.writes.is_empty());
}

#[test]
fn documents_of_foreign_hands_are_replaced() {
    for foreign in ["", "nonsense", "[]", r#"{"Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#] {
        let (plan, documents) = plan(&[foreign.to_owned()], &refuse([over_limit("alice", 60)]));
        assert_eq!(plan.writes.len(), 1, "{foreign}");
        assert!(is_refused(&documents, "alice"));
        let (emptied, _) = self::plan(&[foreign.to_owned()], &DesiredRefusals::default());
        assert_eq!(emptied.writes.len(), 1, "{foreign}");
    }
    // The names are ours, but a service is missing.
    let weakened = plan(&fresh(1), &refuse([blocked("alice", None)])).1[0].replace("\"sts:*\"", "\"s3:*\"");
    assert_eq!(plan_policies(&[weakened], &refuse([blocked("alice", None)]), "aws").writes.len(), 1);
}

/// A name of any length, and what holds for the person.
fn any_refusals() -> impl Strategy<Value = Vec<Refusal>> {
    let end = prop_oneof![Just(None), (0..5i64).prop_map(|step| Some(step * 600)), (0..100_000i64).prop_map(Some)];
    btree_map(0..700usize, (any::<bool>(), 0..44usize, end), 0..600).prop_map(|people| {
        let refusals = people.into_iter().map(|(number, (is_block, length, end))| {
            let name = format!("p{number:03}{}", "x".repeat(length));
            match (is_block, end) {
                (true, end) => blocked(&name, end),
                (false, end) => over_limit(&name, end.unwrap_or(600)),
            }
        });
        refusals.collect()
    })
}

#[test]
fn every_sequence_of_wishes_leaves_legal_and_true_documents() {
    let mut runner = TestRunner::new(Config { cases: 12, failure_persistence: None, ..Config::default() });
    let outcome = runner.run(&vec(any_refusals(), 1..4), |wishes| {
        let mut documents = fresh(4);
        for wish in wishes {
            let desired = refuse(wish.iter().cloned());
            let plan = plan_policies(&documents, &desired, "aws");
            let before = documents;
            documents = carry_out(&before, &plan);
            let refused = list_refused(&documents, at(-1));
            let wanted: BTreeSet<Person> = wish.iter().map(|refusal| refusal.person.clone()).collect();
            if refused != wanted.difference(&plan.left_out).cloned().collect() {
                return Err(TestCaseError::fail("others are refused than those who should be and have room"));
            }
            for refusal in wish.iter().filter(|refusal| plan.left_out.contains(&refusal.person)) {
                // A block needs less than 350 characters, and each person over a limit has more than six.
                if refusal.cause == RefusalCause::Block {
                    let limited = wish.iter().filter(|other| other.cause == RefusalCause::Limit);
                    let named = limited.filter(|other| !plan.left_out.contains(&other.person)).count();
                    if named > 4 * 350 / 6 {
                        return Err(TestCaseError::fail(format!(
                            "a block is left out, and {named} over a limit are named"
                        )));
                    }
                }
            }
            if !plan_policies(&documents, &desired, "aws").writes.is_empty() {
                return Err(TestCaseError::fail("the same wish causes another write"));
            }
        }
        Ok(())
    });
    outcome.unwrap();
}
