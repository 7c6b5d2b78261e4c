"""A dozen drawn pictures in the layout of each published data set, and their opinions.

Each function fills a folder as the publisher's archives do, with the upper and lower
case that they use, and gives the columns that a reader must find there.
"""

from pathlib import Path

import numpy as np
from PIL import Image

from tests.helpers.pictures import smooth

HEADINGS = ("index", "image", "dst_idx", "dst_type", "dst_lev", "dmos_std", "dmos")


def draw(path: Path, seed: int = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    form = {".png": "PNG", ".bmp": "BMP", ".jpg": "JPEG"}[path.suffix.lower()]
    Image.fromarray(smooth(12, 16, seed)).save(path, form)


def write(path: Path, lines: list[str], encoding: str = "utf-8") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes("\r\n".join([*lines, ""]).encode(encoding))


def cells(names: list[str]) -> np.ndarray:
    """Text as a MATLAB cell array."""
    array = np.empty((1, len(names)), object)
    array[0] = names
    return array


def ava(folder: Path) -> dict:
    rows, names, mos, std, votes, split = [], [], [], [], [], []
    for i in range(12):
        photo = 900 + i
        counts = [0] * 10
        counts[i % 9] = 3
        counts[i % 9 + 1] = 1
        rows.append(" ".join(map(str, [i + 1, photo, *counts, 1, 22, 1396])))
        path = folder / "images" / f"{photo}.jpg"
        if i == 3:
            continue  # never downloaded
        draw(path, i)
        if i == 5:
            path.write_bytes(b"")
        elif i == 7:
            path.write_bytes(path.read_bytes()[:-40])
        else:
            names.append(f"images/{photo}.jpg")
            mos.append((i % 9) + 1.25)
            std.append(np.sqrt(3) / 4)
            votes.append(counts)
            split.append("test" if i in (1, 8) else "train")
    write(folder / "AVA.txt", rows)
    tests = folder / "aesthetics_image_lists" / "generic_test.jpgl"
    write(tests, ["901", "905", "908"])
    return {
        "names": names,
        "mos": mos,
        "std": std,
        "votes": votes,
        "split": split,
        "skipped": 3,
    }


def koniq10k(folder: Path) -> dict:
    names = [f"{10004473376 + i}.jpg" for i in range(12)]
    mos = [5 + 7.25 * i for i in range(12)]
    votes = [[0.25, 0.5 - i / 25, 0.25, i / 25, 0] for i in range(12)]
    sides = ["training", "validation", "test"] * 4
    rows = ["image_name,c1,c2,c3,c4,c5,c_total,MOS,SD,set"]
    for name, shares, score, side in zip(names, votes, mos, sides, strict=True):
        rows.append(f"{name},{','.join(map(str, shares))},100,{score},0.5,{side}")
        draw(folder / "1024x768" / name)
    write(folder / "koniq10k_distributions_sets.csv", rows)
    return {
        "names": [f"1024x768/{name}" for name in names],
        "mos": mos,
        "std": [12.5] * 12,
        "votes": votes,
        "split": ["train", "validation", "test"] * 4,
    }


def kadid10k(folder: Path) -> dict:
    images = folder / "kadid10k" / "images"
    rows, found = ["dist_img,ref_img,dmos,var"], []
    for reference in ("I01", "I02"):
        draw(images / f"{reference}.png", 1)
        for kind, name in ((1, "gaussian_blur"), (25, "contrast")):
            for level in (1, 3, 5):
                image = f"{reference}_{kind:02d}_{level:02d}.png"
                mos = 5 - 0.75 * level + 0.01 * kind
                draw(images / image, level)
                rows.append(f"{image},{reference}.png,{mos},0.{level}")
                found.append((image, mos, level / 10, reference, name, level))
    write(folder / "kadid10k" / "dmos.csv", rows)
    return _damaged(found, "images/{}", "images/{}.png")


def tid2013(folder: Path) -> dict:
    rows, found = [], []
    # The 25th reference alone has another case than the tables.
    for reference, stored in (("I01", "I01.BMP"), ("I25", "i25.bmp")):
        draw(folder / "reference_images" / stored, 1)
        for kind, name in ((1, "gaussian_noise"), (24, "sparse_sampling")):
            for level in (1, 3, 5):
                image = f"{reference}_{kind:02d}_{level}.bmp"
                stored = image.lower() if reference == "I25" else image
                mos = 6.5 - level + kind / 64
                draw(folder / "distorted_images" / stored, level)
                rows.append(f"{mos} {image}")
                found.append((image, mos, None, reference, name, level))
    write(folder / "mos_with_names.txt", rows)
    return _damaged(found, "distorted_images/{}", "reference_images/{}.BMP")


def live(folder: Path) -> dict:
    from scipy.io import savemat

    dmos, std, copies, references, kept = [], [], [], [], []
    for number, name in enumerate(("bikes.bmp", "Lighthouse2.bmp")):
        draw(folder / "refimgs" / name.lower(), number)
    for kind in ("jp2k", "jpeg", "wn", "gblur", "fastfading"):
        for number in (1, 2, 3):
            draw(folder / kind / f"img{number}.bmp", number)
            copy = number == 2
            score = 0.0 if copy else 20.5 * number + len(kind)
            dmos.append(score)
            std.append(0.0 if copy else number / 4)
            copies.append(int(copy))
            references.append(("bikes.bmp", "Lighthouse2.bmp")[number % 2])
            if not copy:
                kept.append((kind, number, score, number / 4, references[-1]))
        write(folder / kind / "info.txt", ["bikes.bmp img1.bmp 0.5"])
    arrays = {"dmos_new": dmos, "dmos_std": std, "orgs": copies}
    savemat(folder / "dmos_realigned.mat", arrays)
    savemat(folder / "refnames_all.mat", {"refnames_all": cells(references)})
    return {
        "names": [f"{kind}/img{number}.bmp" for kind, number, *_ in kept],
        "mos": [row[2] for row in kept],
        "std": [row[3] for row in kept],
        "reference": [f"refimgs/{row[4]}" for row in kept],
        "group": [f"refimgs/{row[4]}" for row in kept],
        "distortion": [row[0] for row in kept],
    }


def clive(folder: Path) -> dict:
    from scipy.io import savemat

    release = folder / "ChallengeDB_release"
    practice = [f"t{i + 1}.bmp" for i in range(7)]
    names = [f"{i + 3}.{'bmp' if i % 2 else 'JPG'}" for i in range(12)]
    for name in practice:
        draw(release / "Images" / "trainingImages" / name)
    for seed, name in enumerate(names):
        draw(release / "Images" / name, seed)
    mos = [4.5 + 7 * i for i in range(12)]
    std = [15 + i / 4 for i in range(12)]
    data = release / "Data"
    data.mkdir()
    images = cells([*practice, *names]).T
    savemat(data / "AllImages_release.mat", {"AllImages_release": images})
    savemat(data / "AllMOS_release.mat", {"AllMOS_release": [99.0] * 7 + mos})
    savemat(data / "AllStdDev_release.mat", {"AllStdDev_release": [1.0] * 7 + std})
    return {"names": [f"Images/{name}" for name in names], "mos": mos, "std": std}


def csiq_rows(folder: Path) -> tuple[list, dict]:
    kinds = {"noise": "AWGN", "jpeg 2000": "jpeg2000", "contrast": "contrast"}
    rows, found = [], []
    for reference in (1600, "boston"):
        draw(folder / "src_imgs" / f"{reference}.png")
        for number, (kind, name) in enumerate(kinds.items(), 1):
            for level in (1, 4):
                image = f"{name}/{reference}.{name}.{level}.png"
                dmos = level / 8 + number / 16
                draw(folder / "dst_imgs" / image, level)
                rows.append((reference, number, kind, level, level / 32, dmos))
                found.append((image, dmos, level / 32, reference, name.lower(), level))
    return rows, _damaged(found, "dst_imgs/{}", "src_imgs/{}.png")


def csiq(folder: Path) -> dict:
    import openpyxl

    rows, expected = csiq_rows(folder)
    book = openpyxl.Workbook()
    book.active.title = "notes"
    sheet = book.create_sheet("all_by_image")
    sheet.append(["CSIQ"])
    sheet.append([])
    sheet.append([])
    sheet.append(["", "", *HEADINGS])
    for index, row in enumerate(rows):
        sheet.append([None, None, index, *row])
    book.save(folder / "csiq.DMOS.xlsx")
    return expected


def spaq(folder: Path) -> dict:
    import openpyxl

    book = openpyxl.Workbook()
    headings = ["Brightness", "Colorfulness", "Contrast", "Noisiness", "Sharpness"]
    book.active.append(["Image name", "MOS", *headings])
    names = [f"{i + 1:05d}.jpg" for i in range(12)]
    mos = [48.86, 62.5, *(30 + 5.5 * i for i in range(10))]
    for seed, (name, score) in enumerate(zip(names, mos, strict=True)):
        draw(folder / "TestImage" / name, seed)
        book.active.append([name, score, 50, 50, 50, 50, 50])
    (folder / "Annotations").mkdir()
    book.save(folder / "Annotations" / "MOS and Image attribute scores.xlsx")
    return {"names": [f"TestImage/{name}" for name in names], "mos": mos}


def siqad(folder: Path) -> dict:
    from scipy.io import savemat

    names = ["gaussian_noise", "gaussian_blur", "motion_blur", "contrast", "jpeg"]
    names += ["jpeg2000", "layer_segmentation_coding"]
    dmos, found = np.empty((49, 1)), []
    draw(folder / "references" / "cim1.bmp")
    for kind in range(1, 8):
        for level in range(1, 8):
            score = 24 + 7 * level + kind / 4
            dmos[7 * (kind - 1) + level - 1, 0] = score
            image = f"cim1_{kind}_{level}.bmp"
            draw(folder / "DistortedImages" / image, level)
            found.append((image, score, None, "cim1", names[kind - 1], level))
    savemat(folder / "DMOS_SIQAD.mat", {"DMOS": dmos})
    return _damaged(found, "DistortedImages/{}", "references/{}.bmp")


def scid(folder: Path) -> dict:
    rows, found = [], []
    for reference in ("SCI01", "SCI40"):
        draw(folder / "ReferenceSCIs" / f"{reference}.bmp")
        for kind in (1, 9):
            for level in (1, 3, 5):
                image, mos = f"{reference}_{kind}_{level}", 75 - 9.5 * level - kind
                draw(folder / "DistortedSCIs" / f"{image}.bmp", level)
                rows.append(f"{reference} {image} {mos}")
                found.append((image, mos, None, reference, str(kind), level))
    write(folder / "MOS_SCID.txt", rows)
    return _damaged(found, "DistortedSCIs/{}.bmp", "ReferenceSCIs/{}.bmp")


def agiqa3k(folder: Path) -> dict:
    rows = [
        "name,prompt,adj1,adj2,style,mos_quality,std_quality,mos_align,std_align",
    ]
    names, mos, prompts = [], [], []
    for i in range(12):
        names.append(f"AttnGAN_normal_{i:03d}.jpg")
        mos.append(0.25 + 0.3125 * i)
        prompts.append(("statue of a man", "a red, round moon", "sea")[i // 4])
        draw(folder / names[-1], i)
        rows.append(f'{names[-1]},"{prompts[-1]}",,,,{mos[-1]},0.25,0.5,0.75')
    write(folder / "data.csv", rows, "utf-8-sig")
    return {"names": names, "mos": mos, "std": [0.25] * 12, "group": prompts}


def pipal(folder: Path) -> dict:
    found = []
    for part in (1, 2, 3, 4):
        reference = f"A{50 * part:04d}"
        draw(folder / "Train_Ref" / f"{reference}.bmp")
        lines = []
        for kind, index in ((0, 0), (0, 1), (6, 26)):
            image = f"{reference}_{kind:02d}_{index:02d}.bmp"
            mos = 1520.0648 - 100 * kind + 10 * part + index
            draw(folder / f"Distortion_{part}" / image, index)
            lines.append(f"{image},{mos}")
            path = f"Distortion_{part}/{image}"
            found.append((path, mos, None, reference, f"{kind:02d}", None))
        write(folder / "Train_Label" / f"{reference}.txt", lines)
    return _damaged(found, "{}", "Train_Ref/{}.bmp")


def para(folder: Path) -> dict:
    levels = [f"aestheticScore_{half / 2:.1f}" for half in range(2, 11)]
    heading = ["sessionId", "imageName", "semantic", *levels, "aestheticScore_mean"]
    heading += ["aestheticScore_std", "qualityScore_mean", "qualityScore_std"]
    names, mos, votes, split = [], [], [], []
    for side, table, count in (("train", "Train", 8), ("test", "Test", 4)):
        rows = [",".join(heading)]
        for i in range(count):
            session, image = f"session{i % 3 + 1}", f"iaa_pub{i + 1}_{side}.jpg"
            draw(folder / "imgs" / session / image, i)
            shares = [0.0] * 9
            shares[i], shares[i + 1] = 0.25, 0.75
            mean = 1 + i / 2 + 0.375
            row = [session, image, "animal", *shares, mean, 0.5, 3, 0.4]
            rows.append(",".join(map(str, row)))
            names.append(f"imgs/{session}/{image}")
            mos.append(mean)
            votes.append(shares)
            split.append(side)
        write(folder / "annotation" / f"PARA-Giaa{table}.csv", rows)
    return {
        "names": names,
        "mos": mos,
        "std": [0.5] * 12,
        "votes": votes,
        "split": split,
    }


def eva(folder: Path) -> dict:
    heading = ["image_id", "user_id", "score", "difficulty", "visual", "composition"]
    heading += ["quality", "semantic", "vote_time", "1", "2", "3", "4"]
    rows = ["=".join(f'"{name}"' for name in heading)]
    scores = {str(700 + i): (i % 9, i % 9 + 2, i % 9 + 2, i % 9) for i in range(12)}
    # The votes of one observer after the other, so that images take turns.
    for vote in range(4):
        for image, given in scores.items():
            rows.append(f'"{image}"="E{vote}"="{given[vote]}"=3=2=2=2=2=5=0=0=1=0')
    for seed, image in enumerate(scores):
        draw(folder / "images" / "EVA_together" / f"{image}.jpg", seed)
    write(folder / "data" / "votes_filtered.csv", rows)
    votes = np.zeros((12, 11))
    for row, given in enumerate(scores.values()):
        votes[row, [given[0], given[1]]] = 2
    return {
        "names": [f"images/EVA_together/{image}.jpg" for image in scores],
        "mos": [given[0] + 1 for given in scores.values()],
        "std": [1.0] * 12,
        "votes": votes.tolist(),
    }


def _damaged(found: list[tuple], image: str, reference: str) -> dict:
    """The columns of (image, mos, std, reference, distortion, level)."""
    columns = dict(
        zip(
            ("names", "mos", "std", "reference", "distortion", "level"),
            map(list, zip(*found, strict=True)),
            strict=True,
        )
    )
    columns["names"] = [image.format(name) for name in columns["names"]]
    columns["reference"] = [reference.format(name) for name in columns["reference"]]
    columns["group"] = columns["reference"]
    return {key: values for key, values in columns.items() if None not in values}


MINIATURES = {
    make.__name__: make
    for make in (
        *(agiqa3k, ava, clive, csiq, eva, kadid10k, koniq10k, live),
        *(para, pipal, scid, siqad, spaq, tid2013),
    )
}
