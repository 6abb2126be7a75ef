from math import nan

from primatrix.report.training_curve import draw_training


def test_an_epoch_that_was_not_validated_is_left_out_of_that_line_alone() -> None:
    chart = draw_training([{"loss": 0.5, "val_loss": nan}, {"loss": 0.25, "val_loss": 0.5}, {"loss": 0.125}])
    assert chart.alt == "Loss over 3 epochs: training from 0.5 to 0.12, validation from 0.5 to 0.5."
    assert chart.legend == ("training", "validation")


def test_training_without_validation_is_one_line() -> None:
    chart = draw_training([{"loss": 0.5}])
    assert (chart.alt, chart.legend) == ("Loss over 1 epoch: training from 0.5 to 0.5.", ("training",))


def test_every_epoch_has_its_dot_unless_they_are_many() -> None:
    epochs = [{"loss": 0.5, "val_loss": 0.5}] * 40
    assert draw_training(epochs).svg.count("<circle") == 80
    assert draw_training([*epochs, {"loss": 0.5, "val_loss": 0.5}]).svg.count("<circle") == 0
