//! All that is stored: every item of every table of a region, what its replica of the directory has, and every object.

use std::collections::BTreeMap;

use tests::{App, Value};

const TABLES: [&str; 7] =
    ["identity", "workspaces", "activity", "operations", "resources", "billing", "erasures"];

#[derive(Debug, PartialEq)]
pub struct Everything {
    /// By table and key.
    pub items: BTreeMap<String, Value>,
    /// Bytes by key.
    pub objects: BTreeMap<String, u64>,
}

impl Everything {
    /// Looks at all that is stored at home.
    pub async fn of(app: &App) -> Self {
        let tables = TABLES.map(|table| app.table(table));
        let mut items = BTreeMap::new();
        for table in tables.into_iter().chain(["account-directory".to_owned()]) {
            let scan = app.tables().scan().table_name(&table).consistent_read(true);
            let mut pages = scan.into_paginator().items().send();
            while let Some(item) = pages.next().await {
                let item: Value = serde_dynamo::from_item(item.unwrap()).unwrap();
                items.insert(format!("{table} {} {}", item["pk"], item["sk"]), item);
            }
        }
        let mut pages = app.files().list_objects_v2().bucket(app.bucket()).into_paginator().send();
        let mut objects = BTreeMap::new();
        while let Some(page) = pages.next().await {
            let contents = page.unwrap().contents.unwrap_or_default().into_iter();
            objects.extend(
                contents.map(|object| (object.key.unwrap(), u64::try_from(object.size.unwrap()).unwrap())),
            );
        }
        Self { items, objects }
    }

    /// Which items and objects name one of these ids, but for what names nothing else and goes by itself: messages that were
    /// published.
    pub fn name(&self, ids: &[String]) -> Vec<String> {
        let mut named = self.tell_of(ids);
        named.retain(|item| !item.contains("\"OUT#"));
        named
    }

    /// Which items and objects tell of one of these.
    pub fn tell_of(&self, texts: &[String]) -> Vec<String> {
        let tells = |text: &str| texts.iter().any(|wanted| text.contains(wanted));
        let items = self.items.iter().filter(|(_, item)| tells(&item.to_string()));
        let items = items.map(|(key, item)| format!("{key}: {item}"));
        items.chain(self.objects.keys().filter(|key| tells(key)).cloned()).collect()
    }
}
