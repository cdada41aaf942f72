"""Parameters: names with dots, types from raw text, read-only."""

import json
import unittest

from rig import ScriptCase


class ParamsTest(ScriptCase):
    def params(self, values, code):
        with open(self.path("params.json"), "w") as file:
            json.dump(values, file)
        return self.run_script(code, FLOW_PARAMS_FILE=self.path("params.json"))

    def value(self, text):
        status, out, err = self.params({"x": text}, "print(repr(flow.params.x))")
        self.assertEqual((status, err), (0, ""))
        return out.strip()

    def test_a_value_has_the_type_its_text_has_in_yaml(self):
        texts = {
            "10": "10", "10.": "10.0", "1e-3": "0.001", "1e3": "1000.0", ".5": "0.5", "-3": "-3", "+4": "4", "007": "7",
            "0x1F": "31", "0o17": "15", ".inf": "inf", "-.inf": "-inf", ".nan": "nan", "true": "True", "False": "False",
            "null": "None", "~": "None", "": "None", "yes": "'yes'", "1_000": "'1_000'", "adam": "'adam'", " 1": "' 1'",
            "1.2.3": "'1.2.3'", "e5": "'e5'", "[1, 2]": "[1, 2]", "[a": "'[a'", "123456789012345678901": "123456789012345678901",
            "1\n": "'1\\n'", "\u0661": "'\u0661'",
        }
        status, out, err = self.params(
            {f"v{index}": text for index, text in enumerate(texts)},
            "for v in flow.params.values(): print(repr(v))",
        )
        self.assertEqual((status, err), (0, ""))
        self.assertEqual(dict(zip(texts, out.splitlines())), texts)

    def test_values_that_are_not_text_stay_as_they_are(self):
        _, out, err = self.params({"a": 1.0, "b": True, "c": [1, "2"], "d": {"e": 3}}, "print(dict(flow.params), flow.params.d.e)")
        self.assertEqual((out, err), ("{'a': 1.0, 'b': True, 'c': [1, '2'], 'd': {'e': 3}} 3\n", ""))

    def test_names_with_dots_are_nested_and_the_text_is_kept(self):
        _, out, err = self.params(
            {"optimizer.lr": "10.", "optimizer.sgd.momentum": "0.90", "seed": "1"},
            """
            p = flow.params
            print(p.optimizer.lr, p["optimizer"]["sgd"]["momentum"], p.seed)
            print(p.raw("optimizer.lr"), p.optimizer.raw("sgd.momentum"), p.optimizer.sgd.raw("momentum"))
            print(sorted(p), "optimizer" in p, p.get("nothing", 5))
            """,
        )
        self.assertEqual(err, "")
        self.assertEqual(out, "10.0 0.9 1\n10. 0.90 0.90\n['optimizer', 'seed'] True 5\n")

    def test_a_name_that_is_also_a_group_keeps_both(self):
        _, out, err = self.params({"model": "big", "model.depth": "3"}, "print(flow.params.model, flow.params['model.depth'])")
        self.assertEqual((out, err), ("big 3\n", ""))

    def test_a_missing_parameter_says_which_there_are(self):
        status, _, err = self.params({"lr": "1", "seed": "2"}, "flow.params.learning_rate")
        self.assertEqual(status, 1)
        self.assertTrue(err.endswith("AttributeError: there is no parameter `learning_rate`; there are: lr, seed\n"), err)

    def test_parameters_are_read_only(self):
        _, out, err = self.params(
            {"a.b": "1"},
            """
            def tries():
                yield lambda: setattr(flow.params, "x", 1)
                yield lambda: flow.params.__setitem__("x", 1)
                yield lambda: flow.params.a.update(b=2)
                yield lambda: flow.params.pop("a")
                yield lambda: flow.params.__delitem__("a")
                yield lambda: delattr(flow.params, "a")
            for attempt in tries():
                try:
                    attempt()
                    print("changed")
                except TypeError as error:
                    message = str(error)
            print(message, flow.params.a.b)
            """,
        )
        self.assertEqual((out, err), ("parameters are read-only; copy them with dict(params) 1\n", ""))

    def test_parameters_can_be_pickled_copied_and_passed_on(self):
        _, out, err = self.params(
            {"a.b": "1", "c": "2."},
            """
            import copy, json, pickle
            for p in (pickle.loads(pickle.dumps(flow.params)), copy.deepcopy(flow.params)):
                print(p.a.b, p.raw("c"), p == flow.params)
            print(json.dumps(flow.params), (lambda **k: sorted(k))(**flow.params))
            """,
        )
        self.assertEqual(err, "")
        self.assertEqual(out, '1 2. True\n1 2. True\n{"c": 2.0, "a": {"b": 1}} [\'a\', \'c\']\n')

    def test_without_a_file_the_variables_are_read(self):
        out = self.say("print(dict(flow.params))", FLOW_PARAM_OPTIMIZER__LR="10.", FLOW_PARAM_SEED="3")
        self.assertIn(out, ("{'seed': 3, 'optimizer': {'lr': 10.0}}\n",))
        self.assertEqual(self.say("print(dict(flow.params))", **self.without_flow()), "{}\n")


if __name__ == "__main__":
    unittest.main()
