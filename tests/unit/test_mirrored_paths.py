"""Every source file has its test at the same path under tests/unit, or is listed here with the test that covers it."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("cluster", "configs", "datamodules", "grid", "modules")
ELSEWHERE = {  # source file -> its test, where several small files are tested together or through what uses them
    "configs/explainers.py": "tests/unit/configs/test_component.py",
    "configs/data_interfaces.py": "tests/unit/configs/test_lookup.py",
    "configs/network_interfaces.py": "tests/unit/configs/test_lookup.py",
    "configs/staging.py": "tests/unit/grid/spec/test_stage_kind.py",
    "datamodules/batches/shuffled.py": "tests/unit/datamodules/test_samplers.py",
    "datamodules/datasets/ijb.py": "tests/unit/datamodules/protocols/test_ijb.py",
    "datamodules/evaluation_sets/aligned.py": "tests/unit/datamodules/protocols/test_pair_protocols.py",
    "datamodules/evaluation_sets/ijb_templates.py": "tests/unit/datamodules/protocols/test_ijb.py",
    "datamodules/evaluation_sets/tasks.py": "tests/unit/grid/evaluation/test_task.py",
    "datamodules/formats/bins.py": "tests/unit/datamodules/datasets/test_bin.py",
    "datamodules/formats/containers.py": "tests/unit/datamodules/datasets/test_shards.py",
    "datamodules/formats/manifest_cache.py": "tests/unit/datamodules/formats/test_byte_ranges.py",
    "datamodules/formats/shard_manifest.py": "tests/unit/datamodules/test_convert.py",
    "datamodules/geometry/framing.py": "tests/unit/datamodules/geometry/test_face_model.py",
    "datamodules/mtcnn_networks.py": "tests/unit/datamodules/test_mtcnn.py",
    "datamodules/protocols/agedb30.py": "tests/unit/datamodules/protocols/test_pair_protocols.py",
    "datamodules/protocols/calfw.py": "tests/unit/datamodules/protocols/test_pair_protocols.py",
    "datamodules/protocols/cfp.py": "tests/unit/datamodules/protocols/test_pair_protocols.py",
    "datamodules/protocols/cplfw.py": "tests/unit/datamodules/protocols/test_pair_protocols.py",
    "datamodules/protocols/ijb_search.py": "tests/unit/datamodules/protocols/test_ijb.py",
    "datamodules/protocols/pairs.py": "tests/unit/datamodules/protocols/test_bin.py",
    "datamodules/protocols/sllfw.py": "tests/unit/datamodules/protocols/test_pair_protocols.py",
    "datamodules/protocols/xqlfw.py": "tests/unit/datamodules/protocols/test_pair_protocols.py",
    "datamodules/synthetic_faces/brush.py": "tests/unit/datamodules/synthetic_faces/test_drawing.py",
    "datamodules/synthetic_faces/features.py": "tests/unit/datamodules/synthetic_faces/test_drawing.py",
    "datamodules/synthetic_faces/hair.py": "tests/unit/datamodules/synthetic_faces/test_drawing.py",
    "datamodules/synthetic_faces/population.py": "tests/unit/datamodules/synthetic_faces/test_drawing.py",
    "datamodules/synthetic_faces/relief.py": "tests/unit/datamodules/synthetic_faces/test_drawing.py",
    "datamodules/synthetic_faces/shot.py": "tests/unit/datamodules/synthetic_faces/test_drawing.py",
    "datamodules/synthetic_faces/subject.py": "tests/unit/datamodules/synthetic_faces/test_drawing.py",
    "grid/cli/accept.py": "tests/unit/grid/execution/test_accept.py",
    "grid/cli/cluster.py": "tests/cluster/test_preflight.py",
    "grid/cli/data.py": "tests/integration/test_data_commands.py",
    "grid/cli/explain.py": "tests/integration/test_explain.py",
    "grid/cli/logs.py": "tests/unit/grid/results/test_logs.py",
    "grid/cli/main.py": "tests/unit/test_docs.py",
    "grid/cli/prune.py": "tests/integration/test_prune.py",
    "grid/cli/work.py": "tests/integration/test_pull_workers.py",
    "grid/evaluation/clustering.py": "tests/unit/grid/evaluation/test_evaluators.py",
    "grid/evaluation/evaluator.py": "tests/unit/grid/evaluation/test_task.py",
    "grid/evaluation/identification.py": "tests/unit/grid/evaluation/test_evaluators.py",
    "grid/evaluation/templates.py": "tests/unit/grid/evaluation/test_evaluators.py",
    "grid/evaluation/verification.py": "tests/unit/grid/evaluation/test_evaluators.py",
    "grid/execution/cluster_preflight.py": "tests/cluster/test_preflight.py",
    "grid/execution/helper.py": "tests/integration/test_devices.py",
    "grid/execution/local.py": "tests/unit/grid/execution/test_executor.py",
    "grid/execution/perform.py": "tests/unit/grid/execution/test_executor.py",
    "grid/execution/ray_helpers.py": "tests/integration/test_devices.py",
    "grid/explain/pair_decision.py": "tests/integration/test_explain.py",
    "grid/explain/pair_reference.py": "tests/integration/test_explain.py",
    "grid/ledger/attempt.py": "tests/unit/grid/ledger/test_ledger.py",
    "grid/ledger/memory_store.py": "tests/unit/grid/ledger/test_store_interface.py",
    "grid/ledger/reader.py": "tests/unit/grid/ledger/test_ledger.py",
    "grid/ledger/records.py": "tests/unit/grid/ledger/test_ledger.py",
    "grid/library/grids.py": "tests/integration/test_library.py",
    "grid/library/network.py": "tests/integration/test_library.py",
    "grid/library/study.py": "tests/integration/test_library.py",
    "grid/plan/cost.py": "tests/unit/grid/plan/test_plan.py",
    "grid/plan/preflight.py": "tests/unit/grid/plan/test_inputs.py",
    "grid/plan/recorded_grid.py": "tests/integration/test_pull_workers.py",
    "grid/plan/study_record.py": "tests/unit/grid/plan/test_plan.py",
    "grid/plan/table.py": "tests/unit/grid/plan/test_plan.py",
    "grid/report/cell_sheets.py": "tests/unit/grid/report/test_figures.py",
    "grid/report/console.py": "tests/unit/grid/report/test_tables.py",
    "grid/report/latex.py": "tests/unit/grid/report/test_tables.py",
    "grid/report/markdown.py": "tests/unit/grid/report/test_tables.py",
    "grid/report/page.py": "tests/unit/grid/report/test_charts.py",
    "grid/report/pair_sheets.py": "tests/unit/grid/report/test_figures.py",
    "grid/report/panel.py": "tests/unit/grid/report/test_figures.py",
    "grid/report/scores_files.py": "tests/unit/grid/report/test_scores.py",
    "grid/report/sheet_png.py": "tests/unit/grid/report/test_sheets.py",
    "grid/report/table_csv.py": "tests/unit/grid/report/test_tables.py",
    "grid/report/table_json.py": "tests/unit/grid/report/test_tables.py",
    "grid/report/theta_png.py": "tests/unit/grid/report/test_figures.py",
    "grid/results/columns.py": "tests/unit/grid/results/test_rows.py",
    "grid/results/measured.py": "tests/unit/grid/results/test_results.py",
    "grid/results/result.py": "tests/unit/grid/results/test_results.py",
    "grid/spec/config_errors.py": "tests/unit/grid/spec/test_grid_file.py",
    "grid/spec/finished.py": "tests/unit/grid/report/test_scores.py",
    "grid/spec/training.py": "tests/unit/configs/test_component.py",
    "grid/stages/detect_shard.py": "tests/unit/grid/execution/test_detection_shards.py",
    "grid/stages/kinds/detect.py": "tests/unit/grid/spec/test_stage_kind.py",
    "grid/stages/kinds/detect_shard.py": "tests/unit/grid/execution/test_detection_shards.py",
    "grid/stages/kinds/pretrain.py": "tests/unit/grid/stages/test_pretrain.py",
    "grid/stages/kinds/search.py": "tests/unit/grid/stages/test_trial.py",
    "grid/stages/kinds/trial.py": "tests/unit/grid/stages/test_trial.py",
    "grid/stages/kinds/score.py": "tests/unit/grid/stages/kinds/test_explain.py",
    "grid/tracking/artifacts.py": "tests/unit/grid/tracking/test_sync.py",
    "grid/tracking/describe.py": "tests/unit/grid/tracking/test_sync.py",
    "grid/tracking/experiment.py": "tests/unit/grid/tracking/test_sync.py",
    "grid/tracking/record.py": "tests/chaos/test_outage.py",
    "grid/tracking/run.py": "tests/unit/grid/tracking/test_sync.py",
    "grid/tracking/runs.py": "tests/unit/grid/tracking/test_sync.py",
    "grid/tracking/stages.py": "tests/unit/grid/tracking/test_sync.py",
    "modules/attribution/channel_masks.py": "tests/unit/modules/explainers/test_score_cam.py",
    "modules/attribution/checks.py": "tests/unit/modules/explainers/test_gradient.py",
    "modules/attribution/decoder_residuals.py": "tests/unit/modules/explainers/test_reconstruction.py",
    "modules/attribution/explanation.py": "tests/unit/modules/explanation_metrics/test_hiding_game.py",
    "modules/attribution/guided_gradients.py": "tests/unit/modules/explainers/test_guided_backprop.py",
    "modules/attribution/hooks.py": "tests/unit/modules/explainers/test_gradcam.py",
    "modules/attribution/metric_utilities.py": "tests/unit/modules/explanation_metrics/test_insertion.py",
    "modules/attribution/pixel_maps.py": "tests/unit/modules/explainers/test_gradient.py",
    "modules/attribution/target_layer.py": "tests/unit/modules/explainers/test_gradcam.py",
    "modules/backbones/efficientnet_lite1.py": "tests/unit/modules/backbones/test_efficientnet_lite0.py",
    "modules/backbones/facenet_nns2.py": "tests/unit/modules/backbones/test_facenet_nns1.py",
    "modules/backbones/vgg19.py": "tests/unit/modules/backbones/test_vgg16.py",
    "modules/layers/margin_softmax.py": "tests/unit/modules/layers/test_partial_fc.py",
    "modules/recipes/cosine.py": "tests/unit/modules/training/test_schedule.py",
    "modules/recipes/multi_step.py": "tests/unit/modules/training/test_schedule.py",
    "modules/recipes/none.py": "tests/unit/modules/test_network.py",
    "modules/recipes/polynomial.py": "tests/unit/modules/training/test_schedule.py",
    "modules/training/checkpointing.py": "tests/unit/modules/training/test_recognizer.py",
    "modules/training/mining.py": "tests/unit/modules/losses/test_triplet.py",
    "modules/training/nonfinite.py": "tests/unit/modules/training/test_recognizer.py",
    "modules/training/trainer.py": "tests/unit/modules/training/test_recognizer.py",
}


def sources() -> list[str]:
    files = (file for package in PACKAGES for file in sorted((ROOT / package).rglob("*.py")))
    return [file.relative_to(ROOT).as_posix() for file in files if file.name != "__init__.py"]


def mirrored(source: str) -> Path:
    path = Path(source)
    return ROOT / "tests" / "unit" / path.parent / f"test_{path.name.lstrip('_')}"


def test_every_source_file_has_a_test_at_its_path_or_is_listed() -> None:
    missing = [source for source in sources() if not mirrored(source).is_file() and source not in ELSEWHERE]
    assert not missing, f"write {mirrored(missing[0]).relative_to(ROOT)}, or list the file here ({len(missing)}: {missing})"


def test_the_list_names_files_that_exist_and_need_it() -> None:
    known = set(sources())
    assert not [source for source in ELSEWHERE if source not in known], "listed, but there is no such source file"
    assert not [source for source in ELSEWHERE if mirrored(source).is_file()], "listed, but it has a test at its own path"
    assert not [test for test in ELSEWHERE.values() if not (ROOT / test).is_file()], "no such test"
