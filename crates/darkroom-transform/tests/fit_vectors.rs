//! Every case of tests/vectors/fit.json, to the pixel.

#![expect(clippy::unwrap_used, reason = "a case that cannot be read has failed")]

use darkroom_model::image_options::{Gravity, Width};
use darkroom_model::{Fit, ImageOptions};
use darkroom_transform::plan::{Rect, Size, plan};
use serde_json::Value;

#[test]
fn every_case_is_planned_as_it_says() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/vectors/fit.json");
    let vectors: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let cases = vectors["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 32);
    for case in cases {
        let options = ImageOptions {
            fit: Fit::parse(case["fit"].as_str().unwrap()).unwrap(),
            width: number(&case["width"]).map(Width::Pixels),
            height: number(&case["height"]),
            dpr: case["dpr"].as_f64().unwrap(),
            gravity: gravity(case["gravity"].as_str().unwrap()),
            ..ImageOptions::default()
        };
        let plan = plan(size(&case["source"]).unwrap(), &options);
        assert_eq!(Some(plan.scaled), size(&case["scaled"]), "{case}");
        assert_eq!(Some(plan.output), size(&case["output"]), "{case}");
        assert_eq!(plan.crop, rect(&case["crop"]), "{case}");
        assert_eq!(plan.pad_offset, size(&case["pad_offset"]).map(|at| (at.width, at.height)), "{case}");
    }
}

fn number(value: &Value) -> Option<u32> {
    Some(value.as_u64()?.try_into().unwrap())
}

fn size(value: &Value) -> Option<Size> {
    Some(Size { width: number(&value[0])?, height: number(&value[1])? })
}

fn rect(value: &Value) -> Option<Rect> {
    let size = Size { width: number(&value[2])?, height: number(&value[3])? };
    Some(Rect { x: number(&value[0])?, y: number(&value[1])?, size })
}

fn gravity(text: &str) -> Gravity {
    let (x, y) = match text {
        "center" => (0.5, 0.5),
        "left" => (0.0, 0.5),
        "right" => (1.0, 0.5),
        "top" => (0.5, 0.0),
        "bottom" => (0.5, 1.0),
        point => {
            let (x, y) = point.split_once('x').unwrap();
            (x.parse().unwrap(), y.parse().unwrap())
        }
    };
    Gravity::Point { x, y }
}
