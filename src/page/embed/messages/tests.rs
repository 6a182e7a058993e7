use serde_json::json;

use super::*;

fn asked(message: Value) -> Result<HostCommand, String> {
    read(&message).unwrap().command
}

#[test]
fn the_documented_messages_are_understood() {
    let sent = HostCommand::Load { picture: Picture::Sent, name: Some("mine.png".to_owned()) };
    assert_eq!(asked(json!({"headlamp": 1, "do": "load", "image": true, "name": "mine.png"})), Ok(sent));
    let url = HostCommand::Load { picture: Picture::Url("a.jpg".to_owned()), name: None };
    assert_eq!(asked(json!({"headlamp": 1, "do": "load", "image": " a.jpg"})), Ok(url));
    let prompts = HostCommand::Prompts { texts: vec!["a cat".to_owned()], phrase: None };
    assert_eq!(asked(json!({"headlamp": 1, "do": "prompts", "texts": ["a cat"]})), Ok(prompts));
    let head = HostCommand::Choose { phrase: None, head: Some((11, 3)) };
    assert_eq!(asked(json!({"headlamp": 1, "do": "choose", "head": "11.3"})), Ok(head.clone()));
    assert_eq!(asked(json!({"headlamp": 1, "do": "choose", "head": [11, 3]})), Ok(head));
    assert_eq!(asked(json!({"headlamp": 1, "do": "result"})), Ok(HostCommand::Result { mask: false }));
    assert_eq!(
        asked(json!({"headlamp": 1, "do": "result", "mask": true})),
        Ok(HostCommand::Result { mask: true })
    );
}

#[test]
fn the_answer_has_the_id_of_its_request() {
    for (id, expected) in [(json!(7), json!(7)), (json!("a"), json!("a")), (json!({"x": 1}), Value::Null)] {
        assert_eq!(read(&json!({"headlamp": 1, "id": id})).unwrap().id, expected);
    }
}

#[test]
fn messages_of_other_pages_are_ignored() {
    for message in [json!(null), json!("headlamp"), json!({"type": "webpackOk"}), json!([1, {"headlamp": 1}])] {
        assert_eq!(read(&message), None, "{message}");
    }
}

#[test]
fn another_version_is_refused_with_the_supported_one() {
    for version in [json!(2), json!("1"), json!(null), json!(1.5)] {
        let refusal = asked(json!({"headlamp": version, "do": "result"})).unwrap_err();
        assert!(refusal.contains("version 1"), "{refusal}");
    }
}

/// Numbers that look random, the same in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % most as u64) as usize
    }

    fn word(&mut self) -> &'static str {
        const WORDS: [&str; 20] = [
            "headlamp",
            "id",
            "do",
            "load",
            "prompts",
            "choose",
            "result",
            "image",
            "texts",
            "phrase",
            "head",
            "mask",
            "name",
            "11.3",
            "999.999",
            "",
            "\u{0}",
            "🐕",
            "https://a.example/b.png",
            "__proto__",
        ];
        WORDS[self.below(WORDS.len())]
    }

    fn value(&mut self, depth: usize) -> Value {
        match self.below(if depth == 0 { 6 } else { 8 }) {
            0 => Value::Null,
            1 => json!(self.below(2) == 1),
            2 => json!(self.below(20)),
            3 => json!(self.below(2000) as f64 / 7.0 - 100.0),
            4 => json!(u64::MAX),
            5 => json!(self.word()),
            6 => (0..self.below(4)).map(|_| self.value(depth - 1)).collect(),
            _ => self.object(depth - 1),
        }
    }

    fn object(&mut self, depth: usize) -> Value {
        let fields = (0..self.below(7)).map(|_| (self.word().to_owned(), self.value(depth)));
        Value::Object(fields.collect())
    }
}

#[test]
fn any_message_is_a_command_a_refusal_or_ignored() {
    let mut random = Random(0x5eed);
    let (mut commands, mut refusals) = (0, 0);
    for _ in 0..50_000 {
        let mut message = random.object(3);
        if random.below(3) > 0 {
            message["headlamp"] = json!(1);
            message["do"] = json!(["load", "prompts", "choose", "result", "fly"][random.below(5)]);
        }
        match read(&message).map(|asked| asked.command) {
            None => assert!(message.get("headlamp").is_none(), "{message}"),
            Some(Ok(_)) => commands += 1,
            Some(Err(sentence)) => {
                refusals += 1;
                assert!(sentence.ends_with('.') && sentence.split(' ').count() > 5, "{message}: {sentence:?}");
            }
        }
    }
    assert!(commands > 1000 && refusals > 1000, "{commands} and {refusals}");
}
