//! Expressions of a write, and the placeholders in them.

use std::{
    borrow::Cow,
    collections::{HashMap, hash_map::Entry},
};

use aws_sdk_dynamodb::types::AttributeValue;
use domain::{
    Timestamp,
    ports::{Failure, Outcome},
};
use tables::TTL;

use crate::item::{Item, number};

/// A condition on the item at a key. Each expression has placeholders of its own, also when joined.
pub struct Condition(Vec<Expression>);

/// An expression with the attributes and values of its placeholders.
pub struct Expression {
    text: Cow<'static, str>,
    names: Vec<(&'static str, &'static str)>,
    values: Vec<(Cow<'static, str>, AttributeValue)>,
}

impl Expression {
    /// An expression and its values.
    pub fn new(
        text: impl Into<Cow<'static, str>>,
        values: impl IntoIterator<Item = (impl Into<Cow<'static, str>>, AttributeValue)>,
    ) -> Self {
        let values = values.into_iter().map(|(name, value)| (name.into(), value)).collect();
        Self { text: text.into(), names: Vec::new(), values }
    }

    /// The same with a `placeholder` for `attribute`, whose name is reserved by DynamoDB.
    pub fn naming(mut self, placeholder: &'static str, attribute: &'static str) -> Self {
        self.names.push((placeholder, attribute));
        self
    }
}

impl Condition {
    /// No condition.
    pub const fn none() -> Self {
        Self(Vec::new())
    }

    /// An expression and the values that it names.
    pub fn of(
        expression: impl Into<Cow<'static, str>>,
        values: impl IntoIterator<Item = (&'static str, AttributeValue)>,
    ) -> Self {
        Self(vec![Expression::new(expression, values)])
    }

    /// The same with a `placeholder` in the last expression for `attribute`, whose name is reserved by DynamoDB.
    pub fn naming(mut self, placeholder: &'static str, attribute: &'static str) -> Self {
        if let Some(last) = self.0.last_mut() {
            last.names.push((placeholder, attribute));
        }
        self
    }

    /// No item is at the key.
    pub fn absent() -> Self {
        Self::of("attribute_not_exists(pk)", [])
    }

    /// An item is at the key.
    pub fn present() -> Self {
        Self::of("attribute_exists(pk)", [])
    }

    /// No item is at the key, or an expired one: DynamoDB may take days to delete it.
    pub fn absent_or_expired(now: Timestamp) -> Self {
        let now = number(now.as_second());
        Self::of("attribute_not_exists(pk) OR #ttl <= :now", [(":now", now)]).naming("#ttl", TTL)
    }

    /// The item has this `version`; 0 means that no item exists.
    pub fn version(version: u64) -> Self {
        if version == 0 {
            return Self::absent();
        }
        Self::of("version = :version", [(":version", number(version))])
    }

    /// Both conditions.
    pub fn and(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }
}

/// The expressions of one write. Each placeholder has one meaning.
#[derive(Default)]
pub struct Expressions {
    count: usize,
    names: HashMap<String, String>,
    values: Item,
}

impl Expressions {
    /// The names, if any: DynamoDB rejects an empty map.
    pub fn names(&mut self) -> Option<HashMap<String, String>> {
        Some(std::mem::take(&mut self.names)).filter(|names| !names.is_empty())
    }

    /// The values, if any.
    pub fn values(self) -> Option<Item> {
        Some(self.values).filter(|values| !values.is_empty())
    }

    /// The text of a condition, if it has any.
    pub fn condition(&mut self, condition: Condition) -> Outcome<Option<String>> {
        let mut texts = condition.0.into_iter().map(|expression| self.add(expression));
        let Some(first) = texts.next().transpose()? else { return Ok(None) };
        let rest = texts.collect::<Outcome<Vec<String>>>()?;
        Ok(Some(match rest.is_empty() {
            true => first,
            false => format!("({first}) AND ({})", rest.join(") AND (")),
        }))
    }

    /// The text of an expression. Its placeholders get its number, so that no other expression has the same.
    ///
    /// # Errors
    ///
    /// If a placeholder has no meaning, or a name or value has no placeholder.
    pub fn add(&mut self, expression: Expression) -> Outcome<String> {
        let Expression { text: written, names, values } = expression;
        let number = self.count;
        self.count += 1;
        let names =
            names.into_iter().map(|(placeholder, attribute)| (placeholder.into(), Is::Attribute(attribute)));
        let values = values.into_iter().map(|(placeholder, value)| (placeholder, Is::Value(value)));
        let mut given: Vec<(Cow<'static, str>, Is)> = names.chain(values).collect();
        let (mut text, mut rest) = (String::with_capacity(written.len() + 8), written.as_ref());
        while let Some((before, placeholder, after)) = next_placeholder(rest) {
            let unique = format!("{placeholder}_{number}");
            text.extend([before, &unique]);
            rest = after;
            match given.iter().position(|(given, _)| given == placeholder) {
                Some(place) => self.stands_for(unique, given.swap_remove(place).1)?,
                None if self.values.contains_key(&unique) || self.names.contains_key(&unique) => {}
                None => return Err(unbuildable(format!("{placeholder} stands for nothing"))),
            }
        }
        text.push_str(rest);
        match given.first() {
            Some((unused, _)) => Err(unbuildable(format!("{unused} is given and stands nowhere, or twice"))),
            None => Ok(text),
        }
    }

    fn stands_for(&mut self, placeholder: String, is: Is) -> Outcome<()> {
        let is_new = match is {
            Is::Attribute(name) => insert(&mut self.names, placeholder, name.to_owned()),
            Is::Value(value) => insert(&mut self.values, placeholder, value),
        };
        is_new.then_some(()).ok_or_else(|| unbuildable("a placeholder stands for two things"))
    }
}

/// The meaning of a placeholder.
enum Is {
    Attribute(&'static str),
    Value(AttributeValue),
}

fn insert<T>(map: &mut HashMap<String, T>, key: String, value: T) -> bool {
    match map.entry(key) {
        Entry::Vacant(vacant) => {
            vacant.insert(value);
            true
        }
        Entry::Occupied(_) => false,
    }
}

/// The text before the first placeholder of an expression, the placeholder, and the text after it.
fn next_placeholder(text: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = text.split_at_checked(text.find([':', '#'])?)?;
    let is_over = |(_, c): &(usize, char)| !c.is_ascii_alphanumeric() && *c != '_';
    let end = rest.char_indices().skip(1).find(is_over).map_or(rest.len(), |(at, _)| at);
    let (placeholder, after) = rest.split_at_checked(end)?;
    Some((before, placeholder, after))
}

/// A request that can't be built: a defect.
pub fn unbuildable(reason: impl std::fmt::Display) -> Failure {
    Failure::Broken(format!("a write can't be built: {reason}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn built(condition: Condition) -> Outcome<(String, HashMap<String, String>, Item)> {
        let mut expressions = Expressions::default();
        let text = expressions.condition(condition)?.unwrap_or_default();
        let names = expressions.names().unwrap_or_default();
        Ok((text, names, expressions.values().unwrap_or_default()))
    }

    #[test]
    fn condition_keeps_both_named_attributes() {
        let one = Condition::of("#owner = :it", [(":it", number(1))]).naming("#owner", "owner");
        let other = Condition::of("#state = :it", [(":it", number(2))]).naming("#state", "state");
        let (text, names, values) = built(one.and(other)).unwrap();
        assert_eq!(text, "(#owner_0 = :it_0) AND (#state_1 = :it_1)");
        assert_eq!((names["#owner_0"].as_str(), names["#state_1"].as_str()), ("owner", "state"));
        assert_eq!((&values[":it_0"], &values[":it_1"]), (&number(1), &number(2)));
    }

    #[test]
    fn expression_may_use_a_value_twice() {
        let condition = Condition::of("#a < :it OR #b < :it", [(":it", number(1))]);
        let (text, names, values) = built(condition.naming("#a", "count").naming("#b", "size")).unwrap();
        assert_eq!(text, "#a_0 < :it_0 OR #b_0 < :it_0");
        assert_eq!((names.len(), values.len()), (2, 1));
    }

    #[test]
    fn no_condition_has_no_text() {
        let mut expressions = Expressions::default();
        assert!(expressions.condition(Condition::none().and(Condition::none())).unwrap().is_none());
        assert!(expressions.names().is_none() && expressions.values().is_none());
    }

    #[test]
    fn placeholder_without_value_is_an_error() {
        let error = built(Condition::of("version = :version", [])).unwrap_err();
        assert_eq!(error.to_string(), "broken: a write can't be built: :version stands for nothing");
    }

    #[test]
    fn value_or_name_without_placeholder_is_an_error() {
        assert!(built(Condition::of("attribute_exists(pk)", [(":it", number(1))])).is_err());
        assert!(built(Condition::present().naming("#state", "state")).is_err());
        // `:it` is no part of `:item`.
        assert!(built(Condition::of("a = :item", [(":it", number(1))])).is_err());
    }

    #[test]
    fn placeholder_given_twice_is_an_error() {
        assert!(built(Condition::of("a = :it", [(":it", number(1)), (":it", number(2))])).is_err());
        let twice = [(":it", number(1)), (":it", number(2))];
        assert!(built(Condition::of("a = :it OR b = :it", twice)).is_err());
    }
}
