//! The published schema describes what is written, and nothing else.

use serde_json::Value;

use crate::fixture::bundle;

fn schema() -> jsonschema::Validator {
    let text = include_str!("../../schemas/bundle-v1.schema.json");
    jsonschema::draft202012::new(&serde_json::from_str(text).unwrap()).unwrap()
}

#[test]
fn an_inventory_with_everything_in_it_fits_the_schema() {
    let inventory = bundle().inventory;
    let document = serde_json::to_value(&inventory).unwrap();
    let errors: Vec<_> = schema().iter_errors(&document).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{errors:#?}");
    // A member that the fixture leaves out would be a member that this test does not check.
    assert!(!inventory.roots.is_empty() && !inventory.referrers.is_empty() && !inventory.signatures.is_empty());
    assert!(!inventory.signatures[0].missing.is_empty() && !inventory.evidence.is_empty());
    assert!(!inventory.searches.is_empty() && !inventory.omitted.is_empty());
}

/// Walks every object of the document.
fn objects(value: &Value, path: String, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            members.iter().for_each(|(key, member)| objects(member, format!("{path}/{key}"), found));
            found.push(path);
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(at, item)| objects(item, format!("{path}/{at}"), found));
        }
        _ => {}
    }
}

#[test]
fn a_member_that_nobody_knows_does_not_fit_anywhere() {
    let document = serde_json::to_value(bundle().inventory).unwrap();
    let schema = schema();
    let mut paths = Vec::new();
    objects(&document, String::new(), &mut paths);
    assert!(paths.len() > 20);
    for path in paths {
        let mut changed = document.clone();
        let object = changed.pointer_mut(&path).unwrap();
        object["unknown"] = true.into();
        assert!(!schema.is_valid(&changed), "at {path:?}");
        let bytes = serde_json::to_vec(&changed).unwrap();
        assert!(bulla::archive::BundleInventory::parse(&bytes).is_err(), "at {path:?}");
    }
}

#[test]
fn what_must_be_there_must_be_there() {
    let document = serde_json::to_value(bundle().inventory).unwrap();
    let schema = schema();
    for (key, _) in document.as_object().unwrap() {
        let mut changed = document.clone();
        changed.as_object_mut().unwrap().remove(key);
        assert!(!schema.is_valid(&changed), "without {key}");
        assert!(serde_json::from_value::<bulla::archive::BundleInventory>(changed).is_err(), "without {key}");
    }
}
